"""Regret matching against equilibria in closed form, and its kernel against the definition."""

import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.contest.mechanism import all_pay
from allpay.contest.payoffs import expected_payoffs
from allpay.contest.values import Common, Private, integers
from allpay.errors import AllpayError
from allpay.learners import FictitiousPlay, RegretMatching, learn, run_seeds
from allpay.outcome import Verdict
from allpay.theory import equilibrium


@pytest.mark.parametrize("cost_power", [1.0, 2.0], ids=["linear", "quadratic"])
@pytest.mark.parametrize("w", [0.5, 0.6, 0.8, 1.0])
def test_private_values(w, cost_power):
    found = learn(Game.from_weights("prizes", w, 3, cost_power=cost_power), RegretMatching(auctions=1000), rounds=2)
    expected = equilibrium(found.games[0])
    assert found.exploitability.max() <= 2e-4
    np.testing.assert_allclose(found.revenue, expected.revenue, rtol=0.006)
    np.testing.assert_allclose(found.highest_bid, expected.highest_bid, rtol=0.01)


@pytest.mark.parametrize(
    ("cost_power", "risk_aversion"), [(1.0, 0.0), (2.0, 0.0), (1.0, 2.0)], ids=["linear", "quadratic", "averse"]
)
@pytest.mark.parametrize("w", [0.7, 0.8, 1.0])
def test_a_common_value(w, cost_power, risk_aversion):
    g = Game.from_weights("prizes", w, 3, values="common", cost_power=cost_power, risk_aversion=risk_aversion)
    found = learn(g, RegretMatching(iterations=5000, auctions=1000), rounds=2)
    expected = equilibrium(g)
    assert found.exploitability.max() <= 3e-4
    np.testing.assert_allclose(found.revenue, expected.revenue, rtol=0.02)
    np.testing.assert_allclose(found.highest_bid, expected.highest_bid, rtol=0.03)


def test_prizes_split_in_halves_circle_with_a_common_value_if_less_than_in_fictitious_play():
    g = Game.from_weights("prizes", 0.5, 3, values="common")
    found = learn(g, RegretMatching(auctions=1000), rounds=2)
    assert found.exploitability.min() > 0.01
    assert found.exploitability.max() < 0.5 * learn(g, FictitiousPlay(auctions=1000), rounds=2).exploitability.min()
    assert np.all(found.verdicts == Verdict.CIRCLING)


def test_payments_with_private_values_raise_a_half():
    found = learn(Game.from_weights("payments", 0.8, 3), RegretMatching(auctions=1000), rounds=1)
    np.testing.assert_allclose(found.revenue, 0.5, rtol=0.015)


def test_thirty_bidders():
    g = Game(all_pay(30), Private(levels=32), bid_levels=81)
    found = learn(g, RegretMatching(auctions=1000), rounds=1)
    np.testing.assert_allclose(found.revenue, 29 / 31, rtol=0.02)


@pytest.mark.parametrize("averaging", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("overbidding", [True, False])
def test_one_round_by_hand(averaging, overbidding):
    """The kernel against the definition, on the public payoffs."""
    # With cost b⁴ a bid above the value can pay: what may not be bid must not be played for its regret.
    g = Game.from_weights(
        "prizes", 0.7, 3, values=Private(levels=5), cost_power=4, bid_levels=9, overbidding=overbidding
    )
    may = np.arange(9) < g.allowed[:, None]
    seed = run_seeds(4, 1, 1)
    x = np.random.default_rng(int(seed[0, 0])).dirichlet(np.ones(9), 5) * may
    x /= x.sum(axis=1, keepdims=True)
    z, total = np.zeros((5, 9)), np.zeros((5, 9))
    for t in range(1, 51):
        total += t**averaging * x
        u = expected_payoffs(g, x.mean(axis=0))
        r = (u - (x * u).sum(axis=1, keepdims=True)) * may
        z = np.maximum(z + r, 0)
        wish = np.maximum(z + r, 0)
        whole = wish.sum(axis=1, keepdims=True)
        x = np.where(whole > 0, wish / np.where(whole > 0, whole, 1), x)
    found = RegretMatching(iterations=50, averaging=averaging, auctions=10).learn([g], seed)
    np.testing.assert_allclose(found.strategy[0, 0, 0], total / total.sum(axis=1, keepdims=True), atol=1e-10)


def test_without_overbidding_nobody_bids_above_its_value():
    g = Game(all_pay(3), Private(integers(0, 9), levels=10), bid_levels=10, overbidding=False)
    found = learn(g, RegretMatching(iterations=500, auctions=1000), rounds=2)
    assert np.all(found.strategy[0, :, 0][:, np.triu(np.ones((10, 10), bool), 1)] == 0)


def test_a_dominant_bid_is_found_at_once():
    """Only the first mixture, one of 5050 in weight, makes another bid."""
    g = Game(all_pay(3), Common(10.0), bid_levels=2, max_bid=1.0)
    found = learn(g, RegretMatching(iterations=100, auctions=10), rounds=3)
    assert found.strategy[0, :, 0, 0, 0].max() < 1 / 5050


def test_a_run_stops_when_it_is_within_the_tolerance():
    g = Game.from_weights("prizes", 0.8, 3)
    found = learn(g, RegretMatching(iterations=20_000, tolerance=0.001, auctions=1000), rounds=3)
    assert np.all(found.relative_exploitability <= 0.001)
    assert np.all(found.distance <= 0.001)
    assert np.all(found.iterations % 20 == 0)
    before = RegretMatching(iterations=int(found.iterations[0, 0]) - 20, auctions=1000)
    assert before.learn([g], run_seeds(0, 1, 1)).distance[0, 0] > 0.001
    assert found.tolerance == 0.001
    assert np.all(found.verdicts == Verdict.CONVERGED)


def test_without_a_tolerance_all_iterations_are_taken_and_the_history_ends_with_the_last():
    for iterations in (1, 5, 32, 100):
        found = learn(Game.from_weights("prizes", 0.5, 2), RegretMatching(iterations=iterations, auctions=10), rounds=2)
        assert found.iterations.tolist() == [[iterations] * 2]
        assert found.history.shape == (1, 2, min(32, iterations))
        np.testing.assert_allclose(found.history[..., -1], found.exploitability, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1: got 0"),
        ({"averaging": -1}, "averaging must be at least 0 and finite: got -1"),
        ({"averaging": float("nan")}, "averaging must be at least 0 and finite: got nan"),
        ({"tolerance": 0}, "tolerance must be above 0: got 0"),
        ({"auctions": 0}, "auctions must be at least 1: got 0"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=message):
        RegretMatching(**options)
