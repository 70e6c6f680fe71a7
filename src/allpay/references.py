"""What the best design of a study is held against: the same rounds under equal weights and with all weight on the first rank.

The rounds have the seeds of those that check the best design, so that a difference between two designs is not that of their
draws.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from allpay.errors import AllpayError
from allpay.frozen import ByValue
from allpay.learners import run_seeds
from allpay.learners.base import outcome_from
from allpay.outcome import Outcome
from allpay.simulation import Estimate
from allpay.study.study import CHECKING

if TYPE_CHECKING:
    from allpay.contest.game import Array
    from allpay.pipeline import Result
    from allpay.simplex import Polytope

BEST, ALONE, ALIKE = "best", "alone", "alike"
"""The best design; all weight on the first rank; the same weight on every rank that may carry any."""


@dataclass(frozen=True, eq=False)
class Reference(ByValue):
    """One design and what bidders do under it.

    Attributes:
        name: `best`, `alone` or `alike`.
        design: `[n]` its weights, and what is chosen beside them.
        outcome: of its rounds.
        value: the study's objective in these rounds.
    """

    name: str
    design: tuple[float, ...]
    outcome: Outcome
    value: Estimate


def references(result: "Result") -> tuple[Reference, ...]:
    """The best design of a study, and those of the two others that its space allows."""
    study, best = result.sweep.study, result.optimum.design
    found = [Reference(BEST, tuple(best), result.check, result.checked)]
    others = {name: design for name, design in _plain_designs(result).items() if not np.allclose(design, best)}
    if others:
        games = [study.game(design) for design in others.values()]
        outcome = outcome_from(study.learner, games, run_seeds(study.seed, [0] * len(games), study.rounds, CHECKING))
        values = study.goal.values(outcome)
        for k, (name, design) in enumerate(others.items()):
            found.append(Reference(name, design, outcome.of(k), Estimate(tuple(values[k].tolist()))))
    return tuple(found)


def _plain_designs(result: "Result") -> dict[str, tuple[float, ...]]:
    """The designs with all weight on the first rank and with equal weights, if the space allows them."""
    space, best = result.sweep.study.space, np.asarray(result.optimum.design)
    ranks, beside = space.dimension, best[space.bidders :]
    rows = {ALONE: np.eye(ranks)[0], ALIKE: np.ones(ranks) / (1 if space.box else ranks)}
    found = {}
    for name, row in rows.items():
        design = np.concatenate([row, np.zeros(space.bidders - ranks), beside])
        if lies_in(space.polytope, space.points(design)):
            found[name] = tuple(design.tolist())
    return found


def lies_in(polytope: "Polytope", point: "Array") -> bool:
    """Whether a point is a design of a polytope."""
    try:
        with np.errstate(divide="ignore", invalid="ignore"):  # outside of it a cut has no coordinates
            again = polytope.weights(polytope.coordinates(point))
    except AllpayError:
        return False
    return bool(np.allclose(again, point, atol=1e-9))
