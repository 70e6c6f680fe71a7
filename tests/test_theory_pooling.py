"""Caps that bind: closed forms, what another bid would gain by exact payoffs on a fine grid, a solver of the grid game."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay, first_price, mechanism
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Beta, Common, Discrete, Private, Uniform, integers
from allpay.learners import InteriorPoint, learn
from allpay.theory import design_objective, equilibrium, why_no_equilibrium
from allpay.theory.ranks import mean_rank_probabilities
from allpay.verify import on_grid


def solved(g):
    found = equilibrium(g)
    assert found is not None, why_no_equilibrium(g)
    assert why_no_equilibrium(g) is None
    return found


def capped(g, cap):
    return Game(g.mechanism, g.values, g.cost_power, g.risk_aversion, g.bid_levels, cap, g.overbidding)


# Closed forms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [0.1, 0.4, 0.5, 0.5 + 1e-12, 0.55, 0.8, 0.99, 1 - 1e-8])
def test_two_bidders_of_equal_value(cap):
    """Che & Gale 1998: a cap below half the value is bid by both; above, it is bid with probability 2·(1 − cap)."""
    found = solved(Game(all_pay(2), Common(), max_bid=cap))
    start = max(2 * cap - 1, 0)
    assert found.pooled_from == pytest.approx(start, abs=1e-12)
    assert found.revenue == pytest.approx(1 if cap > 0.5 else 2 * cap, abs=1e-12)
    assert found.payoff == pytest.approx(0 if cap > 0.5 else 0.5 - cap, abs=1e-12)
    q = np.array([1e-3, 0.03, 0.5, 0.7, 0.97])
    np.testing.assert_allclose(found.bid_at(q), np.where(q < start, q, cap), atol=1e-12)


@pytest.mark.parametrize("n", [3, 10, 50])
@pytest.mark.parametrize("cap", [0.3, 0.9])
def test_many_bidders_and_one_prize(n, cap):
    """Uniform values: v·(mean of q^{n−1} above v) − cap = ∫₀^v q^{n−1} dq at the lowest value that bids the cap."""
    cap *= (n - 1) / n
    found = solved(Game(all_pay(n), max_bid=cap))
    start = brentq(lambda v: v * (1 - v**n) / (n * (1 - v)) - cap - v**n / n, 1e-9, 1 - 1e-9, xtol=1e-15)
    assert found.pooled_from == pytest.approx(start, rel=1e-9)
    below = n * (n - 1) / n * start ** (n + 1) / (n + 1)
    assert found.revenue == pytest.approx(below + n * (1 - start) * cap, rel=1e-9)
    highest = (n - 1) / n * n * start ** (2 * n) / (2 * n) + cap * (1 - start**n)
    assert found.highest_bid == pytest.approx(highest, rel=1e-9)


def test_ties_at_the_cap():
    """The mean of P_k over [q, 1] by quadrature."""
    from scipy.integrate import quad

    def chance(t, n, k):
        return math.comb(n - 1, k - 1) * t ** (n - k) * (1 - t) ** (k - 1)

    for n, q in ((2, 0.0), (5, 0.3), (30, 0.9)):
        found = mean_rank_probabilities(n, q)
        assert found.sum() == pytest.approx(1, abs=1e-12)
        for k in (1, 2, n):
            assert found[k - 1] == pytest.approx(quad(chance, q, 1, args=(n, k))[0] / (1 - q), abs=1e-12)


def test_threshold_within_a_value_and_between_two():
    g = Game(all_pay(2), Private(Discrete((1, 2))))
    # uncapped, value 1 bids up to ½ and value 2 up to 1½. Below quantile ½ the cap is worth what 0 is at (1 + q)/2 = cap; at ½
    # value 2 likes it as well as ½ if it is 1; above, at 2·(1 + q)/2 − cap = ½
    for cap, start in ((0.6, 0.2), (0.74, 0.48), (0.8, 0.5), (0.99, 0.5), (1.25, 0.75)):
        found = solved(capped(g, cap))
        assert found.pooled_from == pytest.approx(start, abs=1e-12)
    assert solved(capped(g, 0.3)).pooled_from == 0  # half the value 1 is worth more


def test_the_cap_binds_gradually():
    g = Game(mechanism("payments", 0.5, 3))
    free = solved(g)
    assert free.pooled_from is None
    assert solved(capped(g, free.bid[-1])).pooled_from is None
    near = solved(capped(g, free.bid[-1] * (1 - 1e-6)))
    assert near.pooled_from == pytest.approx(1, abs=1e-5)
    assert near.revenue == pytest.approx(free.revenue, abs=1e-5)
    revenue = [solved(capped(g, free.bid[-1] * part)).revenue for part in (0.2, 0.4, 0.6, 0.8, 1)]
    assert np.all(np.diff(revenue) > 0)


# No other bid pays ----------------------------------------------------------------------------------------------------


def exploitability(g, found, levels):
    """By the exact payoffs of a grid that ends at the cap, relative to half its dearest step."""
    values = g.values if g.values.exact else Private(g.values.distribution, 4 * (levels - 1))
    fine = Game(g.mechanism, values, g.cost_power, g.risk_aversion, levels, g.max_bid, g.overbidding)
    played = evaluate(fine, on_grid(fine, found))
    half = fine.bid_grid[1] / 2
    assert played.revenue == pytest.approx(found.revenue, abs=half * sum(g.mechanism.payments))
    assert played.highest_bid == pytest.approx(found.highest_bid, abs=half)
    return played.exploitability[0] / (np.diff(fine.costs).max() / 2)


@pytest.mark.parametrize("part", [0.9, 0.3])
@pytest.mark.parametrize("rho", [0.0, 0.8])
@pytest.mark.parametrize(
    "values", [Private(Beta(2, 5)), Private(Uniform(1, 2)), Common(1.3), Private(integers(0, 9))], ids=str
)
@pytest.mark.parametrize(
    "mech",
    [
        mechanism("payments", 0.5, 3),
        mechanism("prizes", 0.8, 3),
        first_price(4),
        Mechanism([0.6, 0.3, 0.1], [0.9, 0.8, 0.5]),
    ],
    ids=lambda m: f"{m.prizes}{m.payments}",
)
def test_no_other_bid_pays(mech, values, rho, part):
    g = Game(mech, values, risk_aversion=rho)
    g = capped(g, part * solved(g).bid[-1])
    found = solved(g)
    assert found.pooled_from < 1
    for levels in (101, 201):  # a gain of at most half a step vanishes with the step
        assert exploitability(g, found, levels) <= 1.1


@st.composite
def games(draw):
    """Any prizes, any payments in any order, any cap."""
    n = draw(st.integers(2, 5))
    prizes = sorted(draw(st.lists(st.floats(0, 1), min_size=n, max_size=n)), reverse=True)
    prizes[0] += 0.1
    payments = [draw(st.floats(0.2, 1)), *draw(st.lists(st.floats(0.0, 1), min_size=n - 1, max_size=n - 1))]
    values = draw(st.sampled_from([Common(), Private(), Private(Beta(2, 3)), Private(Discrete((0, 1, 3)))]))
    power, rho = draw(st.sampled_from([1.0, 2.0])), draw(st.sampled_from([0.0, 1.0]))
    return Game(Mechanism(prizes, payments), values, power, rho, max_bid=draw(st.floats(0.05, 2)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(games())
def test_whatever_is_called_an_equilibrium_is_one(g):
    found = equilibrium(g)
    if found is not None:
        assert exploitability(g, found, 201) <= 1.1


def test_a_cap_can_make_an_equilibrium():
    """Where bids would fall at the top there is none without a cap; pooled at it, nobody is left to bid there."""
    g = Game(Mechanism([0.6, 0.4, 0], [1, 0.3, 0.2]), Common())
    assert "fall near quantile" in why_no_equilibrium(g)
    low = capped(g, 0.7)
    assert 0 < solved(low).pooled_from < 1
    assert exploitability(low, solved(low), 401) <= 1.1
    assert why_no_equilibrium(capped(g, 0.77)).endswith("nor is one found in which bids pool at the cap")


@pytest.mark.parametrize(
    "g",
    [
        Game(mechanism("payments", 0.5, 3), max_bid=1.0),
        Game(mechanism("prizes", 0.8, 3), Common(), max_bid=0.5),
        Game(mechanism("payments", 0.6, 3), Private(integers(0, 9)), max_bid=5.0),
    ],
)
def test_a_solver_of_the_grid_game_comes_to_the_same(g):
    found, off = solved(g), []
    for levels in (51, 201):
        values = g.values if g.values.exact else Private(levels=levels - 1)
        fine = Game(g.mechanism, values, bid_levels=levels, max_bid=g.max_bid)
        outcome = learn(fine, InteriorPoint(auctions=100), rounds=1)
        assert outcome.exploitability.max() < 1e-8
        pooled = outcome.strategy[0, 0].mean(axis=(0, 1))[-1]
        assert pooled == pytest.approx(1 - found.pooled_from, abs=2 / levels)
        off.append(abs(outcome.revenue.mean() - found.revenue))
    assert off[1] < 0.01 * found.revenue


# Limits ---------------------------------------------------------------------------------------------------------------


def test_bids_may_pool_where_no_one_bids_above_its_value():
    """Values 0…9, no bid above the value nor above 9: under (0.6, 0.4, 0) the value 9 bids 9, under (½, ½, 0) others would."""
    for w, start in ((0.6, 0.9), (0.5, None)):
        g = Game(mechanism("payments", w, 3), Private(integers(0, 9)), max_bid=9.0, overbidding=False)
        value = design_objective(g, "payments")([w, 1 - w, 0])[0]
        if start is None:
            assert "exceed the bidder's value" in why_no_equilibrium(g)
            assert math.isnan(value)
        else:
            assert solved(g).pooled_from == pytest.approx(start)
            assert value == pytest.approx(solved(g).revenue, rel=1e-9)
    # all of those who pool must be worth the cap
    g = Game(mechanism("payments", 0.5, 3), max_bid=0.9, overbidding=False)
    assert "exceed the bidder's value" in why_no_equilibrium(g)
    assert math.isnan(design_objective(g, "payments")([0.5, 0.5, 0])[0])


# Gradients ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Atoms:
    breaks = (0.2, 0.5)

    def quantile(self, q):
        q = np.asarray(q, float)
        return np.where(q < 0.2, 0.0, np.where(q < 0.5, 1.0, 2 * q))


@pytest.mark.parametrize("part", [1.1, 0.83, 0.07])
@pytest.mark.parametrize("objective", ["revenue", "highest-bid", "payoff"])
@pytest.mark.parametrize(
    ("rule", "values", "rho", "power"),
    [
        ("prizes", Private(), 0.0, 2.0),
        ("payments", Private(Beta(2, 3)), 0.0, 1.0),
        ("prizes", Private(Uniform(1, 2)), 0.7, 2.0),
        ("prizes", Common(1.3), 0.0, 2.0),
        ("payments", Common(1.3), 0.7, 1.0),
        ("payments", Private(integers(0, 3)), 0.0, 2.0),
        ("payments", Private(Uniform(1, 2)), 0.7, 1.0),
        ("prizes", Private(Atoms()), 0.7, 1.0),
    ],
    ids=str,
)
def test_gradient_is_the_limit_of_differences(rule, values, rho, power, objective, part):
    w, h = np.array([0.41, 0.33, 0.19, 0.07]), 1e-5
    g = Game(mechanism(rule, w), values, cost_power=power, risk_aversion=rho)
    g = capped(g, part * solved(g).bid[-1])
    f = design_objective(g, rule, objective)
    value, gradient = f(w)
    found = solved(g)
    assert value == pytest.approx(getattr(found, objective.replace("-", "_")), rel=1e-9, abs=1e-12)
    assert (found.pooled_from is None) == (part > 1)
    differences = (f(w + h * np.eye(4))[0] - f(w - h * np.eye(4))[0]) / (2 * h)
    np.testing.assert_allclose(gradient, differences, atol=1e-6, rtol=1e-6)
