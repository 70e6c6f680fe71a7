"""The best design by theory: the set of designs that lose little, and no digit that is not determined."""

import json
from math import comb

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.game import Setting
from allpay.contest.values import Beta, Common, Private
from allpay.errors import AllpayError
from allpay.exact import exact_design
from allpay.report.exact import determined, exact_in_words
from allpay.study import DesignSpace
from allpay.theory import value_and_gradient


def run(*arguments):
    return CliRunner().invoke(app, ["design", "--method", "theory", *map(str, arguments)])


def test_the_set_ends_where_so_much_is_lost():
    """Private values, linear cost, three bidders: revenue is w/2, so that w from 1 − x on loses less than x."""
    for within in (0.005, 0.1):
        found = exact_design(DesignSpace("prizes"), Setting(), within=within)
        assert found.low == pytest.approx((1 - within, 0, 0), abs=1e-3 * within)
        assert found.high == pytest.approx((1, within, 0), abs=1e-3 * within)


def test_on_a_line_both_ends_lose_what_may_be_lost():
    setting = Setting(Common(), risk_aversion=2.0)
    found = exact_design(DesignSpace("prizes"), setting, within=0.005)
    for w in (found.low[0], found.high[0]):
        value = value_and_gradient(setting.game(DesignSpace().mechanism(w)), "prizes", (w, 1 - w, 0))[0]
        assert float(value) == pytest.approx(0.995 * found.value, rel=1e-4)


def test_no_design_beyond_the_set_is_as_good():
    setting, space = Setting(Private(Beta(2, 3)), cost_power=2.0), DesignSpace("prizes", 5)
    found = exact_design(space, setting, within=0.01)
    game = setting.game(space.mechanism(found.weights))
    designs = space.sample(400, seed=1)
    values, _ = value_and_gradient(game, "prizes", designs)
    good = designs[values >= 0.99 * found.value]
    assert len(good) > 10
    assert np.all(good >= np.array(found.low) - 1e-6)
    assert np.all(good <= np.array(found.high) + 1e-6)
    assert 0.3 < found.low[0] < 0.75 < found.high[0]  # and it is no more than there is
    assert good[:, 0].min() < found.low[0] + 0.15
    assert good[:, 0].max() > found.high[0] - 0.15


def test_digits_that_are_told_are_right():
    """With values uniform and cost b², prizes in proportion to C(n − k, 3) are best (Cauchy and Schwarz)."""
    for n in (6, 12):
        found = exact_design(DesignSpace("prizes", n), Setting(cost_power=2.0))
        true = np.array([4 / n * comb(n - k, 3) / comb(n - 1, 3) for k in range(1, n + 1)])
        assert np.abs(true - found.weights).max() <= 0.8 * 10.0**-found.decimals
        assert found.value == pytest.approx(np.sqrt(n / 3), rel=1e-8)
    assert determined(exact_design(DesignSpace("prizes", 5), Setting(Private(Beta(2, 3)), cost_power=2.0))) == (
        "(0.7521, 0.1602, 0.0877, 0, 0)"
    )


def test_the_set_is_told_by_what_is_lost():
    told = run("--bidders", 5, "--distribution", "beta(2,3)", "--cost-power", 2).stdout
    assert "Many designs do practically as well: first prize anywhere from 56.7% to 88.9%" in told
    assert "can lose less than 0.5%" in told
    flat = run("--values", "common")
    assert "none is best" in flat.stdout
    assert "practically" not in flat.stdout
    assert exact_in_words(None).startswith("No design")
    assert (
        "Designs near it do practically as well: first prize anywhere from 95% to 100%" in run("--within", "5%").stdout
    )


def test_json_holds_the_whole_question_and_out_keeps_it(tmp_path):
    out = tmp_path / "answer"
    done = run("--bidders", 4, "--prizes", 2, "--cost-power", 2, "--within", 0.01, "--out", out, "--json")
    found = json.loads(done.stdout)
    assert found["question"]["space"]["bidders"] == 4
    assert found["question"]["setting"]["cost_power"] == 2
    assert found["question"]["within"] == found["within"]["loss"] == 0.01
    assert found["within"]["low"][0] < found["best"]["weights"][0] <= found["within"]["high"][0]
    kept = json.loads((out / "theory.json").read_text())
    assert kept == found
    assert "practically as well" in (out / "summary.txt").read_text()
    assert run("--out", out).exit_code == 0  # it may be written again
    (out / "notes.txt").write_text("mine")
    refused = run("--out", out)
    assert refused.exit_code == 2
    assert "holds something else" in refused.stderr


@pytest.mark.parametrize("within", ["0", "100%", "3", "much", "-1%", "nan"])
def test_a_loss_that_is_no_part_is_refused(within):
    done = run("--within", within)
    assert done.exit_code == 2
    assert "as 0.5% or 0.005" in done.stderr


def test_within_is_for_theory():
    done = CliRunner().invoke(app, ["design", "--within", "1%"])
    assert done.exit_code == 2
    assert "--within says how much theory may lose" in done.stderr
    with pytest.raises(AllpayError, match="within must be above 0 and below 1"):
        exact_design(DesignSpace(), within=2)


def test_prizes_that_rise_by_rounding_are_equal():
    """The middle of corners may have a prize of 1/3 above another by 1e-17."""
    found = exact_design(DesignSpace("prizes", 4), Setting(reserve=0.1))
    assert found.weights[0] == pytest.approx(1, abs=1e-6)
    assert found.low[0] < 1


def test_the_ranges_told_hold_the_best_design():
    """Three equal prizes are best of three: the first begins at a third, which no rounding may leave out."""
    found = exact_design(DesignSpace("prizes", 12, 3), Setting(cost_power=2.0))
    assert found.weights[:3] == pytest.approx([1 / 3] * 3, abs=1e-6)
    told = exact_in_words(found)
    assert "first prize anywhere from 33.33% to" in told
    assert "to 33.33% can lose" in told
