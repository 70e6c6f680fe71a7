"""Bidders with Q-networks: games with known answers, and what a run does with its hyperparameters."""

import pytest

from allpay.errors import AllpayError
from allpay.learners import DQN, learner
from deep_probes import (
    goes_on_from_its_checkpoint,
    learns_the_best_response,
    learns_to_bid,
    learns_what_is_dominant,
    rivals_of,
    stops_at_the_tolerance,
    stretches_change_nothing,
)

QUICK = DQN(iterations=1000, batch=512, learning_rate=4e-3, averaging=0.01, chunk=2)
SHORT = DQN(iterations=7, batch=16, width=4, replay=3, chunk=3)


def test_bids_of_three_bidders_in_equilibrium():
    learns_to_bid(QUICK)


def test_bids_that_are_dominant():
    learns_what_is_dominant(QUICK)


def test_the_best_response_to_rivals_who_do_not_learn():
    def frozen(state, start):
        return state._replace(
            networks=rivals_of(state.networks, start.networks), average=rivals_of(state.average, start.average)
        )

    learns_the_best_response(DQN(iterations=1000, batch=512, temperature=0.003, averaging=0.01, chunk=1), frozen, 0.01)


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
        ({"batch": 0}, "batch must be at least 1: got 0"),
        ({"chunk": 0}, "chunk must be at least 1: got 0"),
        ({"replay": 0}, "replay must be at least 1: got 0"),
        ({"width": 0}, "width must be at least 1: got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0: got 0"),
        ({"exploration": 1.5}, r"exploration must lie in \[0, 1\]: got 1.5"),
        ({"final_exploration": -0.1}, r"final_exploration must lie in \[0, 1\]: got -0.1"),
        ({"averaging": 2.0}, r"averaging must lie in \[0, 1\]: got 2"),
        ({"temperature": 0.0}, "temperature must be above 0: got 0"),
        ({"final_temperature": float("nan")}, "final_temperature must be above 0: got nan"),
        ({"tolerance": 0.0}, "tolerance must be above 0: got 0"),
    ],
)
def test_hyperparameters_out_of_bounds_are_refused(options, message):
    with pytest.raises(AllpayError, match=f"^{message}$"):
        learner("dqn", **options)
