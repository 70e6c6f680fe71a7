"""The main ways through the program, once each, for the oldest libraries that are allowed: see `make lowest`."""

import subprocess
import sys

import numpy as np
import pytest

import allpay
from allpay.contest.bidder import Bidder
from allpay.contest.payoffs import exploitability
from allpay.learners import InteriorPoint, run_seeds

SMALL = ("--samples", "6", "--rounds", "1", "--iterations", "60", "--bid-levels", "21", "--value-levels", "8")


def allpay_says(*line, folder):
    done = subprocess.run(
        [sys.executable, "-m", "allpay", *line], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    "command", ["", "simulate", "design", "equilibrium", "verify", "run", "resume", "export", "status"]
)
def test_help(command, tmp_path):
    assert "Usage" in allpay_says(*command.split(), "--help", folder=tmp_path).stdout


def test_a_study_is_designed_read_and_exported(tmp_path):
    done = allpay_says("design", *SMALL, "--out", "study", "--workers", "2", folder=tmp_path)
    assert "Asked: under the rule prizes" in done.stdout
    assert done.stderr == ""
    assert (tmp_path / "study" / "study.png").exists() or list((tmp_path / "study").glob("*.png"))
    assert "6" in allpay_says("status", "study", folder=tmp_path).stdout
    for kind in ("csv", "parquet", "json"):
        allpay_says("export", "study", "--format", kind, "--to", f"rounds.{kind}", folder=tmp_path)
        assert (tmp_path / f"rounds.{kind}").stat().st_size > 0


@pytest.mark.parametrize(("learner", "more"), [("epsilon-greedy", ("--exploration", "10")), ("dqn", ()), ("ppo", ())])
def test_bidders_learn(learner, more, tmp_path):
    line = (
        "simulate",
        "--weights",
        "0.8",
        "--learner",
        learner,
        "--rounds",
        "1",
        "--iterations",
        "64",
        *more,
        "--json",
    )
    assert '"revenue"' in allpay_says(*line, folder=tmp_path).stdout


def test_unlike_bidders_and_luck_are_solved():
    game = allpay.Game(
        allpay.Mechanism((0.7, 0.3, 0), (1, 1, 1), success=allpay.Tullock(1)),
        [(Bidder(allpay.Private(allpay.Beta(2, 3), 8)), 2), (Bidder(allpay.Common(0.5)), 1)],
        bid_levels=21,
    )
    found = InteriorPoint().learn([game], run_seeds(0, 1, 1))
    assert np.max(exploitability(game, found.strategy[0, 0])) < 1e-6


def test_other_peoples_agents_and_solvers():
    game = allpay.Game.from_weights("prizes", 0.8, 2, values="common", bid_levels=5)
    environment = pytest.importorskip("allpay.adapters.pettingzoo")
    openspiel = pytest.importorskip("allpay.adapters.openspiel")
    assert openspiel.normal_form(game).num_distinct_actions() == 5
    assert environment is not None
