"""Designs by theory where bidders may be absent, or face a reserve or a fee: gradients, and optima found independently."""

from math import comb

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.attendance import field
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game, Setting
from allpay.contest.mechanism import Mechanism
from allpay.contest.success import Tullock
from allpay.contest.values import Common, Power, Private, Uniform
from allpay.errors import AllpayError
from allpay.exact import best_in_theory
from allpay.study import DesignSpace
from allpay.theory import design_objective, equilibrium

SETTINGS = {
    "absence": (3, Setting(attendance=0.5)),
    "random field": (4, Setting(attendance=field("2:4"))),
    "reserve": (3, Setting(reserve=0.1)),
    "fee": (3, Setting(fee=0.05)),
    "all of them": (4, Setting(Private(Power(2)), attendance=0.7, reserve=0.05, fee=0.02)),
    "convex cost, absence": (4, Setting(cost_power=2.0, attendance=0.6)),
    "known value, absence": (3, Setting(Common(1.0), attendance=0.7)),
    "one group, presence": (3, Setting([(Bidder(Private(Uniform()), presence=0.6), 3)])),
}


def game_of(name, weights):
    n, setting = SETTINGS[name]
    return setting.game(Mechanism.from_weights("prizes", weights, n))


@pytest.mark.parametrize("name", SETTINGS)
def test_gradients_are_finite_differences(name):
    n = SETTINGS[name][0]
    w, step = np.array([0.5, 0.3, 0.15, 0.05][:n]), 1e-5
    w = w / w.sum()
    exact = design_objective(game_of(name, w), "prizes")
    value, gradient = exact(w)
    assert value == pytest.approx(equilibrium(game_of(name, w)).revenue, rel=1e-12)
    for k in range(n):
        ends = [exact(w + step * sign * np.eye(n)[k])[0] for sign in (1, -1)]
        assert gradient[k] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-6), k
    part = design_objective(game_of(name, w), "prizes", ranks=2)([0.7, 0.3] + [0.0] * (n - 2))
    whole = exact([0.7, 0.3] + [0.0] * (n - 2))
    assert part[0] == pytest.approx(whole[0], rel=1e-9)
    np.testing.assert_allclose(part[1][:2], whole[1][:2], rtol=1e-9)


def by_virtual_values(n, chances, prizes, reserve, fee):
    """Revenue of bidders with uniform values and linear costs: E ∫ (2v − 1) Π(v) dv over those who enter, less the fees."""
    sizes = np.arange(len(chances))
    expected = float(sizes @ chances)
    seen = sizes * chances / expected

    def share(v):
        return sum(
            seen[m] * comb(m - 1, k) * v ** (m - 1 - k) * (1 - v) ** k * prizes[k]
            for m in range(1, len(chances))
            for k in range(m)
        )

    lowest = brentq(lambda v: v * share(v) - reserve - fee, 0, 1) if reserve + fee > 0 else 0.0
    return expected * (quad(lambda v: (2 * v - 1) * share(v), lowest, 1, epsabs=1e-11)[0] - fee * (1 - lowest))


@pytest.mark.parametrize("name", ["absence", "random field", "reserve", "fee"])
def test_the_best_design_is_that_of_a_grid_by_virtual_values(name):
    n, setting = SETTINGS[name]
    chances = np.eye(n + 1)[n]
    if name == "absence":
        chances = np.array([comb(n, m) * 0.5**n for m in range(n + 1)])
    if name == "random field":
        chances = np.array([0, 0, 1, 1, 1]) / 3
    grid = {
        w: by_virtual_values(n, chances, [w, 1 - w] + [0] * (n - 2), setting.reserve, setting.fee)
        for w in np.linspace(0.5, 1, 11)
    }
    if name in ("random field", "reserve"):  # an ascent takes seconds
        best = best_in_theory(DesignSpace("prizes", n, 2), setting)
        assert best.value == pytest.approx(max(grid.values()), abs=1e-7)
        assert best.weights[0] == pytest.approx(max(grid, key=grid.get), abs=1e-6)
    exact = design_objective(game_of(name, [1]), "prizes")
    for w in (0.55, 0.8, 1.0):
        assert exact([w, 1 - w] + [0] * (n - 2))[0] == pytest.approx(grid_value(n, chances, w, setting), abs=1e-7)


def grid_value(n, chances, w, setting):
    return by_virtual_values(n, chances, [w, 1 - w] + [0] * (n - 2), setting.reserve, setting.fee)


def test_an_optimum_inside_is_that_of_a_grid():
    n, setting = 4, Setting(cost_power=2.0, attendance=0.8)
    best = best_in_theory(DesignSpace("prizes", n, 2), setting)
    w = np.linspace(0.5, 1, 101)
    found = [equilibrium(setting.game(Mechanism.from_weights("prizes", float(x), n))).revenue for x in w]
    assert best.value >= max(found) - 1e-9
    assert best.value == pytest.approx(max(found), rel=1e-4)
    assert abs(best.weights[0] - w[np.argmax(found)]) <= 0.005 + 1e-9


def test_groups_that_are_one_short_game_have_its_objective():
    short = design_objective(Game.from_weights("payments", 0.7, cost_power=2.0), "payments", "highest-bid")
    groups = [(Bidder(Private(Uniform()), cost=2.0), 1), (Bidder(Private(Uniform()), cost=2.0), 2)]
    long = design_objective(Game(Mechanism.from_weights("payments", 0.7, 3), groups), "payments", "highest-bid")
    w = [0.7, 0.3, 0]
    assert long(w)[0] == short(w)[0]
    np.testing.assert_array_equal(long(w)[1], short(w)[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "--luck normal(0.2)",
            "theory has no objective for designs of contests with luck: simulate the designs instead",
        ),
        (
            "--fee 0.05 --rule payments",
            "gradient of revenue and of ranked bids under the rule prizes only: got the revenue under the rule",
        ),
        ("--reserve 0.1 --objective welfare", "the rule prizes only: got the welfare under the rule prizes"),
        ("--attendance 0.5 --risk-aversion 1", "there is a formula for risk-neutral bidders only"),
        ("--group 1:uniform(0,1) --group 2:common(1)", "no objective for designs of contests in which bidders differ"),
    ],
)
def test_what_has_no_formula_is_refused_in_one_line(options, words):
    done = CliRunner().invoke(app, ["design", "--method", "theory", *options.split(" ")])
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_luck_of_ones_own_is_refused_too():
    with pytest.raises(AllpayError, match="contests with luck: simulate"):
        design_objective(Game(Mechanism((1, 0), (1, 1), success=Tullock(1)), Common()), "prizes")


def test_prizes_that_rise_have_no_equilibrium():
    value, gradient = design_objective(game_of("fee", [0.7, 0.3]), "prizes")([0.4, 0.6, 0.0])
    assert np.isnan(value)
    assert np.all(np.isnan(gradient))
