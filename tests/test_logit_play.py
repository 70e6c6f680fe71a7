"""Logit play against equilibria in closed form, against the definition, and at rest in a logit equilibrium."""

import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.contest.payoffs import expected_payoffs
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners import LogitPlay, learn, run_seeds
from allpay.outcome import Verdict
from allpay.theory import equilibrium

QUICK = LogitPlay(auctions=1000)


@pytest.mark.parametrize("cost_power", [1.0, 2.0], ids=["linear", "quadratic"])
@pytest.mark.parametrize("w", [0.5, 0.8, 1.0])
def test_private_values(w, cost_power):
    found = learn(Game.from_weights("prizes", w, 3, cost_power=cost_power), QUICK, rounds=1)
    expected = equilibrium(found.games[0])
    assert found.exploitability.max() <= 1e-3
    np.testing.assert_allclose(found.revenue, expected.revenue, rtol=0.015)
    np.testing.assert_allclose(found.highest_bid, expected.highest_bid, rtol=0.015)


@pytest.mark.parametrize(
    ("cost_power", "risk_aversion"), [(1.0, 0.0), (2.0, 0.0), (1.0, 2.0)], ids=["linear", "quadratic", "averse"]
)
@pytest.mark.parametrize("w", [0.8, 1.0])
def test_a_common_value(w, cost_power, risk_aversion):
    g = Game.from_weights("prizes", w, 3, values="common", cost_power=cost_power, risk_aversion=risk_aversion)
    found = learn(g, QUICK, rounds=2)
    expected = equilibrium(g)
    assert found.exploitability.max() <= 2e-3
    np.testing.assert_allclose(found.revenue, expected.revenue, rtol=0.02)
    np.testing.assert_allclose(found.highest_bid, expected.highest_bid, rtol=0.03)


def test_prizes_split_in_halves_circle_with_a_common_value():
    found = learn(Game.from_weights("prizes", 0.5, 3, values="common"), QUICK, rounds=2)
    assert found.exploitability.min() > 0.03
    assert np.all(found.verdicts != Verdict.CONVERGED)


def test_at_a_constant_temperature_it_rests_in_the_logit_equilibrium():
    """x = softmax(u(x)/τ), to the order of what the initial belief still weighs."""
    g = Game.from_weights("prizes", 0.8, 3, bid_levels=31, values=Private(levels=8))
    found = learn(g, LogitPlay(temperature=0.1, cooling=0, auctions=10), rounds=2)
    for x in found.strategy[0, :, 0]:
        u = expected_payoffs(g, x.mean(axis=0)) / (0.1 * 0.8 * g.values.highest)
        response = np.exp(u - u.max(axis=1, keepdims=True))
        np.testing.assert_allclose(x, response / response.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("weighting", [0.0, 1.0])
@pytest.mark.parametrize("options", [{}, {"overbidding": False}, {"risk_aversion": 2.0}], ids=str)
def test_one_round_by_hand(weighting, options):
    """The kernel against the definition, on the public payoffs."""
    g = Game.from_weights("prizes", 0.7, 3, values=Private(levels=5), bid_levels=9, **options)
    may = np.arange(9) < g.allowed[:, None]
    seed = run_seeds(4, 1, 1)
    x = np.random.default_rng(int(seed[0, 0])).dirichlet(np.ones(9), 5) * may
    x /= x.sum(axis=1, keepdims=True)
    top_prize = 0.7 if not g.risk_aversion else (1 - np.exp(-1.4)) / 2
    total = 1.0
    for t in range(1, 51):
        response = np.exp(expected_payoffs(g, x.mean(axis=0)) * t**0.75 / (0.4 * top_prize)) * may
        total += t**weighting
        x = x + t**weighting / total * (response / response.sum(axis=1, keepdims=True) - x)
    found = LogitPlay(iterations=50, weighting=weighting, auctions=10).learn([g], seed)
    np.testing.assert_allclose(found.strategy[0, 0, 0], x, atol=1e-10)


def test_a_run_stops_when_it_is_within_the_tolerance():
    found = learn(Game.from_weights("prizes", 0.8, 3), LogitPlay(tolerance=0.01, auctions=10), rounds=2)
    assert np.all(found.relative_exploitability <= 0.01)
    assert np.all(found.iterations < 1000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1: got 0"),
        ({"temperature": 0}, "temperature must be above 0 and finite: got 0"),
        ({"cooling": -1}, "cooling must be at least 0 and finite: got -1"),
        ({"weighting": float("nan")}, "weighting must be at least 0 and finite: got nan"),
        ({"tolerance": 0}, "tolerance must be above 0: got 0"),
        ({"auctions": 0}, "auctions must be at least 1: got 0"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=message):
        LogitPlay(**options)
