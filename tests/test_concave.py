"""Concave functions of designs: Newton's method against certificates, closed forms and sequential quadratic programming."""

import numpy as np
import pytest
from scipy.optimize import linprog

from allpay.ascent import polish
from allpay.bounded import Bounded
from allpay.concave import Concave, furthest, highest
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game, Setting
from allpay.contest.mechanism import Mechanism
from allpay.contest.preferences import OwnCost, PowerCost
from allpay.contest.values import Beta, Common, Discrete, Private
from allpay.errors import AllpayError
from allpay.exact import best_in_theory, exact_design, objective_at, peak
from allpay.simplex import OrderedSimplex, looked_at
from allpay.study import DesignSpace
from allpay.theory import design_objective, equilibrium

ORDERED = OrderedSimplex(6, 6)
POLYTOPES = {
    "ordered": ORDERED,
    "few ranks": OrderedSimplex(6, 3),
    "first bounded": OrderedSimplex(6, 6, first_at_most=0.4),
    "floors": Bounded(6, (0.05, 0.05, 0, 0, 0, 0)),
    "tied": Bounded(6, (0.0,) * 6, tied=((2, 3),)),
}
SETTINGS = {
    "uniform, b²": Setting(cost_power=2),
    "Beta, b⁴": Setting(Private(Beta(2, 3)), cost_power=4),
    "common, b¹·²": Setting(Common(), cost_power=1.2),
    "two values, b³": Setting(Private(Discrete((0.3, 1.0))), cost_power=3),
    "linear": Setting(),
    "absence": Setting(Private(Beta(1.2, 5)), cost_power=2, attendance=0.7),
}


def root_of(power):
    """Costs that are a power of bids."""

    def curve(c):
        b = c ** (1 / power)
        return b, np.where(c > 0, b / (power * np.maximum(c, 1e-300)), 0), (1 / power) * (1 / power - 1) * b

    return curve


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("goal", ["revenue", "top-2", "highest-bid"])
def test_where_a_concave_objective_is_highest_the_gradient_shows_that_nothing_is_higher(name, goal):
    for polytope in POLYTOPES.values():
        exact = design_objective(SETTINGS[name].game(Mechanism.from_weights("prizes", 0.5, 6)), "prizes", goal)
        assert isinstance(exact, Concave)
        start = polytope.corners.mean(axis=1).sum(axis=0)
        best, value = peak(exact, start, polytope)
        polytope.coordinates(best)  # it lies within
        slope = polytope.corners @ exact(best)[1]  # a concave function lies below its tangent
        above = slope.max(axis=1).sum() - best @ exact(best)[1]
        assert above <= 1e-9 * abs(value)
        assert value == pytest.approx(exact(best)[0], rel=1e-13)


@pytest.mark.parametrize("name", ["uniform, b²", "common, b¹·²", "absence"])
def test_no_search_by_gradients_finds_more(name):
    exact = design_objective(SETTINGS[name].game(Mechanism.from_weights("prizes", 0.5, 6)), "prizes", "top-2")
    for polytope in (ORDERED, POLYTOPES["floors"]):
        start = polytope.corners[0].mean(axis=0)
        assert peak(exact, start, polytope)[1] >= polish(exact, start, polytope=polytope)[1] * (1 - 1e-10)


def test_roots_of_two_linear_functions_have_a_known_peak():
    """2√y + √(x/2) with y on the first rank and x over both, y + x = 1: 1/√y = 1/√(8x)."""
    function = Concave(np.eye(2), np.array([2.0, 1.0]), root_of(2), np.zeros(2), np.inf)
    found, ended = highest(function, OrderedSimplex(2, 2).corners, np.array([[0.5, 0.5]]))
    assert ended
    assert found[0] == pytest.approx((8 / 9, 1 / 9), abs=1e-9)


def test_blocks_have_a_peak_each():
    """√y₁ + √y₂/2 in each of two blocks, as if they stood alone: y₁ : y₂ = 4 : 1."""
    corners = np.array([[[1.0, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 1]]])
    rows = np.cumsum(np.eye(4), axis=0).T  # of drops, so that c are the weights themselves
    function = Concave(rows, np.array([1.0, 0.5, 0.5, 1.0]), root_of(2), np.zeros(4), np.inf)
    found, ended = highest(function, corners, np.full((2, 2), 0.5))
    assert ended
    assert found == pytest.approx(np.array([[0.8, 0.2], [0.2, 0.8]]), abs=1e-9)


def test_a_convex_curve_that_counts_below_0_is_concave_too():
    function = Concave(np.eye(2), np.array([-2.0, -1.0]), lambda c: (c**2, 2 * c, 2 * c**2), np.zeros(2), np.inf)
    found, ended = highest(function, OrderedSimplex(2, 2).corners, np.array([[0.5, 0.5]]))
    assert ended  # −2y² − (x/2)²: 4y = x/2
    assert found[0] == pytest.approx((1 / 9, 8 / 9), abs=1e-7)


def test_the_furthest_designs_of_a_linear_objective_are_those_of_linear_programming():
    corners, worth = ORDERED.corners[0], np.array([1.0, 0.7, 0.4, 0.3, 0.2, 0.1])
    function = Concave(np.zeros((1, 6)), np.zeros(1), root_of(1), worth, np.inf)
    values = corners @ worth
    for rank in range(6):
        for sign in (1.0, -1.0):
            found = furthest(function, corners, np.eye(6)[0], sign * corners[:, rank], 0.8)
            least = linprog(-sign * corners[:, rank], A_ub=-values[None], b_ub=[-0.8], A_eq=np.ones((1, 6)), b_eq=[1])
            assert sign * corners[:, rank] @ found == pytest.approx(-least.fun, abs=1e-8)
            assert values @ found >= 0.8 - 1e-8


@pytest.mark.parametrize("name", ["uniform, b²", "Beta, b⁴", "absence"])
def test_the_furthest_designs_lose_what_they_may_and_no_other_goes_further(name):
    space, setting = DesignSpace("prizes", 6, 6), SETTINGS[name]
    exact = objective_at(space, setting)
    found = exact_design(space, setting)
    seen = 0.97 * np.array(found.weights) + 0.03 * np.concatenate(looked_at(space.polytope, 500, seed=1))
    good = seen[exact(seen)[0] >= found.value * (1 - found.within)]
    assert len(good) > 20
    low, high = np.array(found.low), np.array(found.high)
    assert np.all(low <= good.min(axis=0) + 1e-9)
    assert np.all(high >= good.max(axis=0) - 1e-9)
    corners = np.concatenate([space.polytope.corners[0], np.array([found.weights])])
    level = found.value * (1 - found.within)
    end = furthest(exact, corners, np.eye(7)[-1], -corners[:, 0], level) @ corners
    assert exact(end)[0] == pytest.approx(level, rel=1e-7)
    assert end[0] == pytest.approx(low[0], abs=1e-7)


COSTS = {
    "a cost of one's own": OwnCost(lambda b: b + b**2),
    "exponential": OwnCost(np.expm1),
    "power": PowerCost(2.5, 0.5),
}


@pytest.mark.parametrize("name", COSTS)
def test_costs_of_ones_own_have_the_objective_of_their_equilibria(name):
    n = 4

    def game(weights):
        return Game(Mechanism(weights, (1.0,) * n), [(Bidder(Private(Beta(2, 3)), cost=COSTS[name], presence=0.8), n)])

    exact = design_objective(game((1.0, 0, 0, 0)), "prizes", "top-2")
    assert isinstance(exact, Concave)
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    revenue = design_objective(game((1.0, 0, 0, 0)), "prizes")(weights)[0]
    assert revenue == pytest.approx(equilibrium(game(tuple(weights))).revenue, rel=1e-10)
    slope = exact(weights)[1]
    for k in range(n):
        step = 1e-5 * np.eye(n)[k]
        assert slope[k] == pytest.approx((exact(weights + step)[0] - exact(weights - step)[0]) / 2e-5, rel=1e-5)


@pytest.mark.parametrize(
    ("setting", "goal"),
    [
        (Setting(cost_power=0.5), "revenue"),  # a concave cost: bids are a convex function of it
        (Setting(cost_power=2), "ranked-bids(1,-1)"),  # some bids count below 0
        (Setting(cost_power=2, max_bid=0.5), "revenue"),
        (Setting(cost_power=2, risk_aversion=1), "revenue"),
        (Setting(cost_power=2, overbidding=False), "revenue"),
        (Setting(cost_power=2, reserve=0.1), "revenue"),
    ],
)
def test_what_is_not_known_to_be_concave_is_no_concave_function(setting, goal):
    assert not isinstance(objective_at(DesignSpace("prizes", 3), setting, goal), Concave)


@pytest.mark.parametrize(("power", "goal"), [(0.5, "revenue"), (2, "ranked-bids(1,-1)")])
def test_what_is_not_concave_is_sought_as_before(power, goal):
    space, setting = DesignSpace("prizes", 3), Setting(cost_power=power)
    best = best_in_theory(space, setting, goal)
    seen = np.concatenate(looked_at(space.polytope, 101))
    assert best.value >= np.max(objective_at(space, setting, goal)(seen)[0]) - 1e-9


def test_bids_next_to_nothing_overflow_nothing():
    """Of 50 bidders the lowest bids cost less than 1e-200, and a hundredth power of the bid makes bids of that."""
    for power in (2, 100):
        best = best_in_theory(DesignSpace("prizes", 50, 2), Setting(cost_power=power))
        assert best.weights[:2] == pytest.approx((0.5, 0.5), abs=0.3)
        assert best.value > 0


def test_weights_are_checked():
    exact = design_objective(Setting(cost_power=2).game(Mechanism.from_weights("prizes", 0.5, 3)), "prizes")
    for wrong in ([0.5, 0.5], [0.5, 0.5, np.nan], [1.5, -0.5, 0]):
        with pytest.raises(AllpayError, match="weights must be 3 finite numbers ≥ 0"):
            exact(wrong)
