"""Fictitious play against equilibria in closed form, computed here by quadrature of the formulas and nothing of `theory`."""

from functools import cache
from math import comb

import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism, all_pay, first_price
from allpay.contest.values import Common, Private, integers
from allpay.errors import AllpayError
from allpay.learners import FictitiousPlay, learn, run_seeds
from allpay.outcome import Verdict

NODES, WEIGHTS = (np.polynomial.legendre.leggauss(40) + np.array([[1], [0]])) / 2

WEIGHTS_OF_THE_ISSUE = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def rank_probabilities(q, n: int) -> np.ndarray:
    """`[n, …]` P_k(q) = C(n−1, k−1) q^{n−k} (1−q)^{k−1}."""
    q = np.asarray(q, float)
    return np.stack([comb(n - 1, k) * q ** (n - 1 - k) * (1 - q) ** k for k in range(n)])


def slope(coefficients, q) -> np.ndarray:
    """The derivative of Σ_k coefficients[k] P_{k+1}(q): the Bernstein form of the differences, one degree lower."""
    n = len(coefficients)
    gaps = -np.diff(coefficients)
    return (n - 1) * np.tensordot(gaps, rank_probabilities(q, n - 1), axes=1)


def private_bid(m: Mechanism, q, cost_power: float = 1.0) -> np.ndarray:
    """The bid at quantile q of values uniform on [0, 1]: c(b(q)) S(q) = ∫₀^q t dΠ(t)."""
    q = np.asarray(q, float)
    t = q[..., None] * NODES
    integral = q * (t * slope(m.prizes, t)) @ WEIGHTS if q.ndim == 0 else q * ((t * slope(m.prizes, t)) @ WEIGHTS)
    return (integral / np.tensordot(m.payments, rank_probabilities(q, m.bidders), axes=1)) ** (1 / cost_power)


def common_bid(m: Mechanism, q, cost_power: float = 1.0, risk_aversion: float = 0.0) -> np.ndarray:
    """The bid at quantile q of the mixture where all value the prize at 1: c(b(q)) S(q) = Π(q) − a_n, or its CARA form."""
    prizes, p = np.asarray(m.prizes), rank_probabilities(q, m.bidders)
    if risk_aversion == 0:
        cost = (np.tensordot(prizes, p, axes=1) - prizes[-1]) / np.tensordot(m.payments, p, axes=1)
    else:
        cost = -np.log(np.tensordot(np.exp(-risk_aversion * (prizes - prizes[-1])), p, axes=1)) / risk_aversion
    return cost ** (1 / cost_power)


def revenue_of(m: Mechanism, bid) -> float:
    """n ∫ S(q) b(q) dq."""
    share = np.tensordot(m.payments, rank_probabilities(NODES, m.bidders), axes=1)
    return float(m.bidders * (share * bid(NODES)) @ WEIGHTS)


def highest_of(m: Mechanism, bid) -> float:
    """n ∫ b(q) q^{n−1} dq."""
    return float(m.bidders * (bid(NODES) * NODES ** (m.bidders - 1)) @ WEIGHTS)


@cache
def prizes_with_private_values(cost_power: float):
    """`[designs, rounds]` one batch of the six weights."""
    games = [Game.from_weights("prizes", w, 3, cost_power=cost_power) for w in WEIGHTS_OF_THE_ISSUE]
    return FictitiousPlay().learn(games, run_seeds(0, len(games), 2))


# --- the formulas of this file, by the values that are known


@pytest.mark.parametrize(
    ("w", "cost_power", "revenue", "highest"),
    [
        (0.5, 1, 0.25, 1 / 6 - 0.5 / 15),
        (0.8, 1, 0.4, 0.8 / 3 - 0.2 / 15),
        (1.0, 1, 0.5, 1 / 3),
        (0.5, 2, 0.7829, 0.36),
        (0.8, 2, 0.9185, 0.4815),
        (1, 2, 0.9798, 0.5443),
    ],
)
def test_the_formulas_give_the_known_values(w, cost_power, revenue, highest):
    m = Mechanism.from_weights("prizes", w, 3)
    assert revenue_of(m, lambda q: private_bid(m, q, cost_power)) == pytest.approx(revenue, abs=6e-5)
    assert highest_of(m, lambda q: private_bid(m, q, cost_power)) == pytest.approx(highest, abs=6e-5)


# --- private values


@pytest.mark.parametrize("cost_power", [1.0, 2.0], ids=["linear", "quadratic"])
@pytest.mark.parametrize("design", range(6), ids=[f"w={w}" for w in WEIGHTS_OF_THE_ISSUE])
def test_prizes_with_private_values_reach_the_equilibrium(design, cost_power):
    w = WEIGHTS_OF_THE_ISSUE[design]
    m = Mechanism.from_weights("prizes", w, 3)
    found = prizes_with_private_values(cost_power)
    expected = revenue_of(m, lambda q: private_bid(m, q, cost_power))
    np.testing.assert_allclose(found.revenue[design], expected, rtol=0.01)
    np.testing.assert_allclose(
        found.highest_bid[design], highest_of(m, lambda q: private_bid(m, q, cost_power)), rtol=0.03
    )
    assert found.exploitability[design].max() <= (0.005 if w >= 0.6 else 0.015)


def test_the_learned_bids_are_the_equilibriums_value_by_value():
    found = prizes_with_private_values(1.0)
    for design, w in enumerate(WEIGHTS_OF_THE_ISSUE):
        g = found.games[design]
        q = (np.arange(64) + 0.5) / 64
        expected = private_bid(g.mechanism, q)
        learned = found.strategy[design, 0, 0] @ g.bid_grid
        if w >= 0.6:
            assert np.abs(learned - expected).mean() < 0.012


@pytest.mark.parametrize("bidders", [2, 5])
def test_winner_take_all_bids(bidders):
    """b(v) = (n−1)/n vⁿ, revenue (n−1)/(n+1)."""
    g = Game(all_pay(bidders))
    found = learn(g, FictitiousPlay(), rounds=2)
    np.testing.assert_allclose(found.revenue, (bidders - 1) / (bidders + 1), rtol=0.01)
    expected = (bidders - 1) / bidders * g.value_grid**bidders
    assert np.abs(found.strategy[0, :, 0] @ g.bid_grid - expected).mean() < 0.015


def test_first_price_bids():
    """b(v) = (n−1)/n v, revenue (n−1)/(n+1)."""
    g = Game(first_price(3))
    found = learn(g, FictitiousPlay(), rounds=2)
    np.testing.assert_allclose(found.revenue, 0.5, rtol=0.01)
    # The lowest types hardly ever win, and are nearly indifferent.
    gap = np.abs(found.strategy[0, :, 0] @ g.bid_grid - 2 / 3 * g.value_grid)
    assert gap[:, 16:].mean() < 0.015
    assert found.exploitability.max() < 0.005


@pytest.mark.parametrize("w", [0.8, 1.0])
def test_payments_with_private_values_all_raise_a_half(w):
    found = learn(Game.from_weights("payments", w, 3), FictitiousPlay(), rounds=2)
    np.testing.assert_allclose(found.revenue, 0.5, rtol=0.015)


# --- common values


@pytest.mark.parametrize("w", [0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("cost_power", [1.0, 2.0], ids=["linear", "quadratic"])
def test_prizes_with_a_common_value_reach_the_equilibrium(w, cost_power):
    m = Mechanism.from_weights("prizes", w, 3)
    found = learn(
        Game(m, Common(), cost_power, bid_levels=201), FictitiousPlay(iterations=20_000, weighting=0), rounds=2
    )
    np.testing.assert_allclose(found.revenue, revenue_of(m, lambda q: common_bid(m, q, cost_power)), rtol=0.01)
    np.testing.assert_allclose(found.highest_bid, highest_of(m, lambda q: common_bid(m, q, cost_power)), rtol=0.02)
    assert found.exploitability.max() <= (0.005 if w > 0.7 else 0.01)
    assert np.all(found.verdicts == Verdict.CONVERGED)


def test_prizes_split_in_halves_circle_with_a_common_value():
    """The known failure (Π is convex below w = 2/3): it must be said, not hidden."""
    found = learn(Game.from_weights("prizes", 0.5, 3, values="common"), FictitiousPlay(), rounds=2)
    assert found.exploitability.min() > 0.05
    assert np.all(found.verdicts == Verdict.CIRCLING)


@pytest.mark.parametrize(("w", "revenue"), [(0.8, 0.8304), (1.0, 0.6526)])
def test_risk_averse_bidders_with_a_common_value(w, revenue):
    m = Mechanism.from_weights("prizes", w, 3)
    assert revenue_of(m, lambda q: common_bid(m, q, 1.0, 2.0)) == pytest.approx(revenue, abs=1e-4)
    found = learn(Game(m, Common(), risk_aversion=2.0), FictitiousPlay(iterations=20_000, weighting=0), rounds=2)
    np.testing.assert_allclose(found.revenue, revenue, rtol=0.015)
    assert found.exploitability.max() <= 0.005


# --- games whose answer is known without a formula


def test_two_equal_prizes_for_two_bidders_leave_nothing_to_bid_for():
    g = Game.from_weights("prizes", 0.5, 2)
    found = learn(g, FictitiousPlay(), rounds=2)
    assert found.revenue.max() < 1e-3  # all that is left is the initial belief's part
    np.testing.assert_array_equal(found.strategy[0, :, 0].argmax(axis=-1), 0)


def test_a_dominant_bid_is_found_at_once():
    """Where a prize of 10 may be bid for with 0 or 1, 1 is best whatever the rivals do: all but the initial belief is 1."""
    g = Game(all_pay(3), Common(10.0), bid_levels=2, max_bid=1.0)
    found = learn(g, FictitiousPlay(iterations=100, weighting=0), rounds=3)
    initial = [np.random.default_rng(int(s)).dirichlet(np.ones(2), 1)[0, 1] for s in run_seeds(0, 1, 3)[0]]
    np.testing.assert_allclose(found.strategy[0, :, 0, 0, 1], (np.array(initial) + 100) / 101, atol=1e-12)


def test_among_equal_bids_the_lowest_is_played():
    """Where nobody pays and all win the same, no bid is better than another."""
    g = Game(Mechanism((0.5, 0.5), (0, 0)), bid_levels=5)
    found = learn(g, FictitiousPlay(iterations=100, weighting=0), rounds=1)
    assert found.strategy[0, 0, 0, :, 0].min() >= 100 / 101


def test_without_overbidding_nobody_bids_above_its_value():
    """Under this rule they would like to: the equilibrium without a cap bids up to 4/3 of the value."""
    halves = Mechanism.from_weights("payments", 0.5, 3)
    g = Game(halves, Private(integers(0, 9), levels=10), bid_levels=10, overbidding=False)
    found = learn(g, FictitiousPlay(iterations=500), rounds=2)
    assert np.all(found.strategy[0, :, 0][:, np.triu(np.ones((10, 10), bool), 1)] == 0)


def test_thirty_bidders():
    g = Game.from_weights("prizes", (0.5, 0.3, 0.2), 30)
    found = learn(g, FictitiousPlay(iterations=500, auctions=1000), rounds=1)
    expected = revenue_of(g.mechanism, lambda q: private_bid(g.mechanism, q))
    assert found.revenue[0, 0] == pytest.approx(expected, rel=0.05)
    assert found.exploitability.max() <= 0.005


# --- the process


def test_rounds_begin_with_different_beliefs():
    g = Game.from_weights("prizes", 0.8, 3, bid_levels=21)
    found = learn(g, FictitiousPlay(iterations=1), rounds=8)
    assert len(np.unique(found.revenue)) == 8
    assert len(np.unique(learn(g, FictitiousPlay(), rounds=8).revenue)) > 1


@pytest.mark.parametrize("weighting", [0.0, 1.0, 0.5, 2.0])
def test_one_round_by_hand(weighting):
    """The kernel against the definition, on the public payoffs."""
    from allpay.contest.payoffs import expected_payoffs

    g = Game.from_weights("prizes", 0.7, 3, values=Private(levels=5), bid_levels=9)
    seed = run_seeds(4, 1, 1)
    x = np.random.default_rng(int(seed[0, 0])).dirichlet(np.ones(9), 5)
    total = 1.0
    for t in range(1, 51):
        response = np.eye(9)[expected_payoffs(g, x.mean(axis=0)).argmax(axis=1)]
        total += t**weighting
        x = x + t**weighting / total * (response - x)
    found = FictitiousPlay(iterations=50, weighting=weighting).learn([g], seed)
    np.testing.assert_allclose(found.strategy[0, 0, 0], x, atol=1e-10)


def test_a_run_stops_when_it_is_within_the_tolerance():
    g = Game.from_weights("prizes", 0.8, 3)
    found = learn(g, FictitiousPlay(iterations=20_000, tolerance=0.005), rounds=4)
    assert np.all(found.iterations < 20_000)
    assert np.all(found.relative_exploitability <= 0.005)
    assert found.tolerance == 0.005
    assert np.all(found.verdicts == Verdict.CONVERGED)
    for taken, history, last in zip(found.iterations[0], found.history[0], found.exploitability[0], strict=True):
        known = history[np.isfinite(history)]
        assert len(known) < len(history)
        assert known[-1] == pytest.approx(last, abs=1e-12)
        assert np.all(known[:-1] > 0.005 * 0.8)
        assert taken == (len(known) - 1) * 20_000 // 32  # it stopped at a checkpoint


def test_without_a_tolerance_all_iterations_are_taken():
    found = learn(Game.from_weights("prizes", 0.5, 2), FictitiousPlay(iterations=300), rounds=2)
    assert found.iterations.tolist() == [[300, 300]]
    assert np.all(np.isfinite(found.history))
    nothing_to_choose = Game(all_pay(2), Private(levels=1), bid_levels=2, max_bid=1.0, overbidding=False)
    assert learn(nothing_to_choose, FictitiousPlay(iterations=300), rounds=1).iterations.tolist() == [[300]]


def test_a_tolerance_out_of_reach_takes_all_iterations():
    found = learn(Game.from_weights("prizes", 0.8, 3), FictitiousPlay(iterations=200, tolerance=1e-9), rounds=1)
    assert found.iterations.tolist() == [[200]]
    assert found.verdicts[0, 0] == Verdict.STILL_LEARNING


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1: got 0"),
        ({"weighting": -1}, "weighting must be at least 0 and finite: got -1"),
        ({"weighting": float("nan")}, "weighting must be at least 0 and finite: got nan"),
        ({"weighting": float("inf")}, "weighting must be at least 0 and finite: got inf"),
        ({"tolerance": 0}, "tolerance must be above 0: got 0"),
        ({"tolerance": -0.1}, r"tolerance must be above 0: got -0\.1"),
        ({"auctions": 0}, "auctions must be at least 1: got 0"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=message):
        FictitiousPlay(**options)
