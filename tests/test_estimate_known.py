"""Values that a table tells: the distribution comes from them, bids test the model and tell what bids cost."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from allpay import Beta, Bidder, Game, Mechanism, Private, Setting, Uniform
from allpay.cli import app
from allpay.contest.preferences import PowerCost
from allpay.errors import AllpayError
from allpay.estimate.generate import as_table, past_contests
from allpay.estimate.kept import load, save
from allpay.estimate.known import AS_TOLD, estimate_known
from allpay.estimate.past import Contests
from allpay.estimate.power import Sought
from allpay.estimate.values import LEVELS
from allpay.report.estimated import answers_in_words, estimate_in_words, identification, warnings_of


def past(power=2.0, contests=150, seed=1, presence=1.0):
    setting = Setting(Private(Beta(2, 3)), cost_power=power, attendance=presence)
    return past_contests(setting.game(Mechanism((0.5, 0.3, 0.2, 0.0), (1.0,) * 4)), contests, seed=seed)


def test_the_distribution_is_that_of_the_values_told(tmp_path):
    contests = past()
    found = estimate_known(contests, cost=PowerCost(2), resamples=20)
    np.testing.assert_allclose(found.values, np.quantile(contests.value, LEVELS), rtol=0.04, atol=0.005)
    truth, held = Beta(2, 3).quantile(np.array(LEVELS)), []
    for seed in range(8):
        one = estimate_known(past(seed=seed), cost=PowerCost(2), resamples=20)
        held.append(np.mean((np.array(one.low) <= truth) & (truth <= np.array(one.high))))
    assert np.mean(held) > 0.7
    assert (found.family, found.told) == (AS_TOLD, 600)
    other = Contests(contests.contest, contests.bid * 1.7, contests.prizes, value=contests.value)
    np.testing.assert_array_equal(estimate_known(other, resamples=0).values, found.values)  # bids have no part in it
    save(found, tmp_path)
    assert load(tmp_path).told == 600
    words = estimate_in_words(load(tmp_path))
    for text in ("Known: half of the bidders value", "600 values of the table tell this, and no bid has a part in it"):
        assert text in words


def test_bids_at_known_values_test_the_model_with_one_kind_of_contest():
    right = estimate_known(past(presence=0.8), cost=PowerCost(2), resamples=20)
    assert "this is less" in answers_in_words(right)
    assert abs(right.presence - 0.8) < 0.05
    contests = past()
    more = Contests(contests.contest, contests.bid * 1.2, contests.prizes, value=contests.value)
    wrong = estimate_known(more, cost=PowerCost(2), resamples=20)
    assert abs(wrong.kinds[0].beyond - 0.2) < 0.05
    assert "Bids are not those of equilibrium at these values" in answers_in_words(wrong)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.5])
def test_bids_at_known_values_tell_the_power_with_one_kind_of_contest(power):
    found = estimate_known(past(power), cost=Sought(), resamples=0)
    assert found.power.number == pytest.approx(power, rel=0.05)
    told = identification(found)
    assert "the power of the cost of bids, from bids at known values" in told["identified"]
    assert not any("power" in text for text in told["not_identified"])


def test_groups_have_values_of_their_own():
    bidders = [(Bidder(Private(Uniform(0, high)), cost=2.0), 1) for high in (1.0, 0.6)]
    contests = past_contests(Game(Mechanism((1.0, 0.0), (1.0, 1.0)), bidders), 300, seed=2)
    found = estimate_known(contests, cost=Sought(1, 4), resamples=0)
    assert found.parts[0].power.number == pytest.approx(2, rel=0.08)
    for part, high in zip(found.parts, (1.0, 0.6), strict=True):
        np.testing.assert_allclose(part.values, high * np.array(LEVELS), rtol=0.15, atol=0.03)


def test_too_few_values_are_refused_and_some_are_enough():
    contests = past()
    few = np.where(np.arange(600) < 5, contests.value, np.nan)
    with pytest.raises(AllpayError, match=r"the table tells 5 values, and 10 are the fewest.*--bids-only"):
        estimate_known(Contests(contests.contest, contests.bid, contests.prizes, value=few))
    some = np.where(np.arange(600) % 3 == 0, contests.value, np.nan)
    found = estimate_known(
        Contests(contests.contest, contests.bid, contests.prizes, value=some), cost=PowerCost(2), resamples=0
    )
    assert found.told == 200


def run(*line):
    return CliRunner().invoke(app, list(map(str, line)))


def test_the_command_takes_values_unless_told_not_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("allpay.report.estimated.save", lambda figure, path: path.write_text(""))  # drawing takes long
    as_table(past(), values=True).rename({"value": "worth"}).write_csv("past.csv")
    line = ("estimate", "past.csv", "--cost-power", 2, "--resamples", 2)
    plain = run(*line, "--out", "a", "--family", "curve", "--json")
    told = run(*line, "--out", "b", "--value-column", "worth", "--json")
    aside = run(*line, "--out", "c", "--value-column", "worth", "--bids-only", "--family", "curve", "--json")
    counts = [json.loads(done.stdout)["estimate"]["told"] for done in (plain, told, aside)]
    assert counts == [0, 600, 0]
    refused = run(*line, "--out", "d", "--value-column", "worth", "--family", "beta")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "--family has no effect where the table tells values" in refused.stderr


def test_a_score_below_0_is_told_with_its_row_and_what_to_do(tmp_path):
    (tmp_path / "past.csv").write_text("contest,score,prize\n1,3,1\n1,-2,0\n2,1,1\n2,2,0\n")
    refused = run("estimate", tmp_path / "past.csv")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "line 3, column score: -2 is below 0: a bid or score of 0 is no effort" in refused.stderr
    assert "leave the cell empty" in refused.stderr


@pytest.mark.parametrize(
    ("ban", "said"),
    [
        (["--no-overbidding"], "line 4, column bid: the bid 0.1 is above the bidder's value"),
        (["--max-bid", "0.35"], "line 5, column bid: the bid 0.4 is above the cap of 0.35"),
    ],
)
def test_bids_that_were_not_allowed_are_refused(tmp_path, ban, said):
    rows = ["1,a,.3,.7,.9", "1,b,.2,.3,.5", "1,c,.1,0,.05", "2,a,.4,.7,.8", "2,b,.25,.3,.6", "2,c,.12,0,.3"]
    (tmp_path / "past.csv").write_text("\n".join(["contest,bidder,bid,prize,value", *rows]))
    for order in ("estimate", "fit"):
        refused = run(order, tmp_path / "past.csv", *ban)
        assert refused.exit_code == 2
        assert said in refused.stderr
    (tmp_path / "bids.csv").write_text(
        "\n".join(r.rsplit(",", 1)[0] for r in ["contest,bidder,bid,prize,value", *rows])
    )
    refused = run("estimate", tmp_path / "bids.csv", "--no-overbidding")
    assert refused.exit_code == 2
    assert "--no-overbidding has no effect on a table that tells no values" in refused.stderr
    told = run("estimate", tmp_path / "bids.csv", "--max-bid", "0.4", "--resamples", "2", "--out", tmp_path / "found")
    assert told.exit_code == 0
    assert "1 of 6 bids are at the cap of 0.4" in told.stderr


def test_bids_far_from_equilibrium_at_known_values_are_doubted_wherever_the_values_are_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong, right = (estimate_known(past(), cost=PowerCost(p), resamples=5) for p in (1.0, 2.0))
    (text,) = warnings_of(wrong)
    assert text.startswith("Doubt these values: bids are not those of equilibrium at them. Bids with ")
    assert not warnings_of(right)
    (tmp_path / "known").mkdir()
    save(wrong, tmp_path / "known")
    done = CliRunner().invoke(app, ["design", "--values-from", "known", "--method", "theory"])
    assert text in done.stderr
    assert "for 4 bidders, as all past contests had; --bidders names another number" in done.stderr
    assert text in done.stdout
