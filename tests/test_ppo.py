"""Bidders with policy networks: games with known answers, and what a run does with its hyperparameters."""

import numpy as np
import pytest

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners import PPO, learner, run_seeds
from deep_probes import (
    goes_on_from_its_checkpoint,
    learns_the_best_response,
    learns_to_bid,
    learns_what_is_dominant,
    rivals_of,
    stops_at_the_tolerance,
    stretches_change_nothing,
)

QUICK = PPO(iterations=400, batch=1024, learning_rate=5e-3, final_entropy=0.02, averaging=0.03, chunk=2)
SHORT = PPO(iterations=7, batch=16, width=4, chunk=3)


def test_bids_of_three_bidders_in_equilibrium():
    learns_to_bid(QUICK)


def test_bids_between_those_of_the_grid():
    learner = PPO(iterations=400, batch=1024, bids="continuous", entropy=0.02, averaging=0.03, chunk=4)
    games = [
        Game(Mechanism((1, 0, 0), (1, 0, 0)), Private(levels=16), bid_levels=31, overbidding=o) for o in (True, False)
    ]
    found = learner.learn(games, run_seeds(0, 2, 2))
    np.testing.assert_allclose(found.strategy.sum(axis=-1), 1.0, atol=1e-12)
    assert np.all(found.strategy[1][..., np.arange(31) >= games[1].allowed[:, None]] == 0)
    assert np.all(found.relative_exploitability < 0.02)
    np.testing.assert_allclose(found.revenue.mean(axis=1), 0.5, rtol=0.08)
    np.testing.assert_allclose(found.realised_revenue, found.revenue, rtol=0.05)


def test_bids_that_are_dominant():
    learns_what_is_dominant(QUICK)


def test_the_best_response_to_rivals_who_do_not_learn():
    def frozen(state, start):
        networks = rivals_of(state.networks, start.networks)
        return state._replace(networks=networks, average=rivals_of(state.average, start.average))

    learns_the_best_response(QUICK, frozen, 0.01)


def test_a_run_can_be_cut_into_stretches():
    stretches_change_nothing(SHORT)


def test_a_killed_run_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    goes_on_from_its_checkpoint(SHORT, tmp_path, monkeypatch)


def test_a_run_stops_at_its_tolerance():
    stops_at_the_tolerance(QUICK, 0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1: got 0"),
        ({"epochs": 0}, "epochs must be at least 1: got 0"),
        ({"minibatches": 0}, "minibatches must be at least 1: got 0"),
        ({"minibatches": 3}, "minibatches must divide the batch: got 3 of 2048 auctions"),
        ({"clip": 0.0}, "clip must be above 0: got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be above 0: got -1"),
        ({"entropy": 0.0}, "entropy must be above 0: got 0"),
        ({"final_entropy": 0.0}, "final_entropy must be above 0: got 0"),
        ({"averaging": -0.5}, r"averaging must lie in \[0, 1\]: got -0.5"),
        ({"bids": "free"}, "unknown kind of bids 'free': choose from grid, continuous"),
        ({"tolerance": -1.0}, "tolerance must be above 0: got -1"),
    ],
)
def test_hyperparameters_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=f"^{message}$"):
        learner("ppo", **options)
