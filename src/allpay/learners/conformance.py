"""Whether a learner does what every learner must do: for the tests of people who write one.

Learning well is another matter, and not looked at here. Give the learner few iterations: it is run some twenty times.
"""

import dataclasses
import pickle
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError
from allpay.learners.base import FIELDS_BY_RUN, Learner, Seeds, check_learner, distance_to, outcome_from, run_seeds
from allpay.outcome import Outcome, fields_of

ROUNDS = 3
"""Rounds of each design; the last has the seed of the first."""

ARRAYS = (*FIELDS_BY_RUN, "strategy", "history")
"""The fields of an outcome that equal seeds must make equal."""


def check_learner_api(learner: Learner) -> None:
    """Run a learner in small games of each kind and hold it to what studies rely on.

    It must follow the protocol; be a frozen dataclass that can be pickled; return whole and finite outcomes, whose strategies
    are probabilities of bids that are allowed and whose exact figures are those of `evaluate`; take all randomness from its
    seeds, so that equal seeds give equal bits in any batch, and other seeds other runs; and refuse what does not fit together.

    Raises:
        AllpayError: at the first thing that is amiss, in one sentence.

    >>> from allpay.learners import FictitiousPlay
    >>> check_learner_api(FictitiousPlay(iterations=50))
    """
    check_learner(learner)
    _check_dataclass(learner)
    private = [_small("prizes", w) for w in (0.5, 0.8, 1.0)]
    _check_seeds(learner, private)
    _check_batches(learner, private)
    for games in (
        [_small("payments", w, overbidding=False) for w in (0.6, 0.9)],
        [_small("prizes", w, values=Common(2.0), risk_aversion=1.0) for w in (0.7, 1.0)],
        [_small("prizes", 1.0, bidders=2, cost_power=2.0)],
        [learner.setting.game(Mechanism.from_weights("prizes", 0.8, 3))],
    ):
        _learned(learner, games, run_seeds(1, len(games), 1))
    _check_refusals(learner)


def _small(rule: str, w: float, bidders: int = 3, values: Private | Common | None = None, **options: float) -> Game:
    kinds = values or Private(levels=4)
    return Game(Mechanism.from_weights(rule, w, bidders), kinds, bid_levels=6, **options)  # type: ignore[arg-type]


def _check_dataclass(learner: Learner) -> None:
    name, kind = learner.name, type(learner)
    if not (dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen):
        raise AllpayError(
            f"{name}: a study writes down the fields of its learner, so {kind.__name__} must be a frozen dataclass: "
            "put @dataclass(frozen=True) above it"
        )
    try:
        copy = pickle.loads(pickle.dumps(learner))
    except Exception as error:
        raise AllpayError(
            f"{name}: workers are sent the learner, so it must be one that can be pickled: {error}"
        ) from error
    if copy != learner:
        raise AllpayError(f"{name}: workers are sent the learner, so a pickled copy must equal it: got {copy!r}")


def _learned(learner: Learner, games: Sequence[Game], seeds: Seeds) -> Outcome:
    """The outcome of a learner, after a look at all that can be seen of it alone."""
    state = random.getstate(), _numpy_state()
    outcome = outcome_from(learner, games, seeds)
    if (random.getstate(), _numpy_state()) != state:
        raise AllpayError(
            f"{learner.name}: the global random state must be left alone, for threads share it: "
            "draw from numpy.random.default_rng(seed)"
        )
    for d, game in enumerate(games):
        for r in range(seeds.shape[1]):
            _check_run(learner, outcome, game, d, r)
    return outcome


def _check_run(learner: Learner, outcome: Outcome, game: Game, d: int, r: int) -> None:
    exact = evaluate(game, outcome.strategy[d, r])
    known_fields = fields_of([game], [[exact]])
    known_fields["distance"] = np.array([[distance_to(learner, game, outcome.strategy[d, r], exact)]])
    for field in ("revenue", "highest_bid", "exploitability", "payoff", "distance"):
        found, known = float(getattr(outcome, field)[d, r]), float(known_fields[field][0, 0])
        if abs(found - known) > 1e-9 * max(1.0, abs(known)):
            raise AllpayError(
                f"{outcome.learner}: in design {d}, round {r}: {field} must be that of the strategy, {known:.10g} by "
                f"`evaluate`: got {found:.10g}"
            )


def _check_seeds(learner: Learner, games: Sequence[Game]) -> None:
    seeds = run_seeds(0, len(games), ROUNDS)
    seeds[:, -1] = seeds[:, 0]
    outcome = _learned(learner, games, seeds)
    field = _differs(outcome, learner.learn(games, seeds))
    if field:
        raise AllpayError(
            f"{learner.name}: equal seeds must give equal bits: {field} differed in the second of two calls; "
            "draw from numpy.random.default_rng(seed)"
        )
    field = _differs(outcome, outcome, np.s_[:, 0], np.s_[:, -1])
    if field:
        raise AllpayError(f"{learner.name}: equal seeds must give equal bits: {field} differed between two rounds")
    if not _differs(outcome, outcome, np.s_[:, 0], np.s_[:, 1]) and outcome.revenue.max() > 0:
        raise AllpayError(
            f"{learner.name}: other seeds must give other runs, or standard errors mean nothing: two rounds were the same"
        )


def _check_batches(learner: Learner, games: Sequence[Game]) -> None:
    """What a run does must not depend on which others are learned beside it, nor on their order."""
    seeds, every = run_seeds(2, len(games), ROUNDS), range(len(games))
    whole = _learned(learner, games, seeds)
    parts = [(f"design {d} is learned alone", [d], slice(None)) for d in every]
    parts += [
        ("one round is learned alone", list(every), slice(1, 2)),
        ("the order is turned", [*every][::-1], slice(None)),
    ]
    for what, which, rounds in parts:
        part = learner.learn([games[d] for d in which], seeds[which, rounds])
        field = _differs(whole, part, np.s_[which, rounds])
        if field:
            raise AllpayError(f"{learner.name}: a run must not depend on its batch: {field} differs if {what}")


def _check_refusals(learner: Learner) -> None:
    game = _small("prizes", 0.8)
    for what, games, seeds in (
        ("games of two shapes", [game, _small("prizes", 0.8, bidders=4)], run_seeds(0, 2, 1)),
        ("seeds for more designs than there are", [game], run_seeds(0, 2, 1)),
    ):
        try:
            learner.learn(games, seeds)
        except AllpayError as error:
            text = str(error.args[0])
            if "\n" in text:
                raise AllpayError(f"{learner.name}: {what} must be refused in one line: got {text!r}") from None
        except Exception as error:
            raise AllpayError(
                f"{learner.name}: {what} must be refused by an AllpayError: got {type(error).__name__}; "
                "allpay.learners.base.check_batch does it"
            ) from error
        else:
            raise AllpayError(
                f"{learner.name}: {what} must be refused by an AllpayError; allpay.learners.base.check_batch does it"
            )


def _differs(one: Outcome, other: Outcome, first: Any = ..., second: Any = ...) -> str | None:
    """The first field in which two outcomes do not have the same bits, if there is one."""
    for field in ARRAYS:
        a, b = np.asarray(getattr(one, field))[first], np.asarray(getattr(other, field))[second]
        if not np.array_equal(a, b, equal_nan=True):
            return field
    return None


def _numpy_state() -> bytes:
    """The global random state of NumPy, which a learner must leave alone."""
    return pickle.dumps(np.random.get_state())  # noqa: NPY002
