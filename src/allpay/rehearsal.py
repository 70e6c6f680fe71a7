"""One design for several worlds by learning, where theory has no formula: a study in each scenario, of the same designs.

A network is fitted to each study (`pipeline`); the compromises between scenarios are sought on these networks, and fresh rounds
at all designs in all scenarios say what each loses where, and how far that is known.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from allpay.contest.game import Array
from allpay.evidence import Evidence
from allpay.frozen import ByValue
from allpay.learners import run_seeds
from allpay.learners.base import outcome_from
from allpay.optimum import expected_loss, highest
from allpay.outcome import Outcome
from allpay.pipeline import SAFETY, Result, check_enough, design, left_by_learning
from allpay.progress import Reporter, Silent
from allpay.scenarios import Comparison, ValueAndGradient, compromises, for_more_bidders, names_of
from allpay.simplex import looked_at
from allpay.simulation import REFINED_ROUNDS, on_finer_grid
from allpay.study.scenario import ScenarioStudy
from allpay.study.space import widened
from allpay.study.study import WORLDS, DesignSpace, Study
from allpay.theory import value_or_reason

LOOKED = 64
"""Among so many designs spread over their space, beside the best of each scenario, the search for a compromise begins."""

CONFIDENCE = 0.9
"""Of the intervals of losses."""


@dataclass(frozen=True, eq=False)
class Rehearsal(ByValue):
    """What was learned in every scenario.

    Attributes:
        comparison: the designs beside each other.
        results: `[scenarios]` what the study of each says.
    """

    comparison: Comparison
    results: tuple[Result, ...]


@np.errstate(under="ignore")
def rehearse(
    asked: ScenarioStudy,
    folder: Path | str | None = None,
    reporter: Reporter | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Rehearsal:
    """Designs in several scenarios by learning: the best of each, the best on average and in the worst case, and those given.

    Args:
        asked: the scenarios, and the study that is made in each.
        folder: where the study of each scenario is kept, in a folder of its own; what is there is not learned again.
        reporter: is told how far it is.
        workers, scheduler: where bidders learn, see `allpay.study.run`.

    Raises:
        AllpayError: if something does not fit together in a scenario, there are too few designs to fit, or the folder cannot be
            used.
    """
    start, reporter = time.perf_counter(), reporter or Silent()
    studies = asked.studies()
    for study in studies.values():
        check_enough(study)
    results = tuple(
        design(study, None if folder is None else Path(folder) / name, reporter, workers=workers, scheduler=scheduler)
        for name, study in studies.items()
    )
    space = asked.study.space
    with reporter.stage("the best for all scenarios: ascending, checking"):
        own = np.stack([_for_fewest(result, space) for result in results])
        given = np.array(asked.given).reshape(-1, len(space.names))
        found = space.designs(_compromises(asked, results, space.points(own)))
        every = np.concatenate([given, own, found])
        outcomes = []
        for k, study in enumerate(studies.values(), 1):
            outcomes.append(_fresh(study, _here(study, every), study.rounds))
            reporter.advance(k * len(every), len(studies) * len(every))
    parts = [
        _in_one(result, found_there, _here(result.sweep.study, every), len(given) + k)
        for k, (result, found_there) in enumerate(zip(results, outcomes, strict=True))
    ]
    values, best, errors, exact = (np.stack(part, axis=-1) for part in zip(*parts, strict=True))
    assert asked.study.setting is not None
    comparison = Comparison(
        *(asked.scenarios, names_of(len(given), asked.scenarios), every, space.dimension, values, best, space),
        *(asked.study.setting, asked.study.objective, time.perf_counter() - start, asked.study, errors, exact),
    )
    return Rehearsal(comparison, results)


def _for_fewest(result: Result, space: DesignSpace) -> Array:
    """`[n]` what a study recommends, without the ranks that only its scenario has."""
    return np.delete(np.array(result.optimum.design), slice(space.bidders, result.sweep.study.bidders))


def _compromises(asked: ScenarioStudy, results: tuple[Result, ...], own: Array) -> Array:
    """`[2, n]` the best on average and in the worst case by the networks, sought from the best of each and other points."""
    values: list[ValueAndGradient] = []
    most = []
    for result in results:
        study, surrogate = result.sweep.study, result.surrogate
        values.append(for_more_bidders(surrogate.value_and_gradient, len(study.space.choose), study.bidders))
        most.append(float(surrogate.predict(highest(surrogate, study.space.polytope, seed=study.seed)[None])[0][0]))
    polytope = asked.study.space.polytope
    starts = np.concatenate([own, *looked_at(polytope, LOOKED, asked.study.seed)])  # those given may lie outside
    return compromises(values, np.array(most), asked.chances, polytope, starts, cheap=True)


def _here(study: Study, designs: Array) -> Array:
    """`[designs, n]` the designs for the fewest bidders as those of a study."""
    return widened(designs, len(study.space.choose), study.bidders)


def _fresh(study: Study, designs: Array, rounds: int) -> list[Outcome]:
    """`[designs]` the outcome of fresh rounds at each design, with the same seeds for all, so that less of what they differ in
    is chance; equal designs are learned once."""
    different, which = np.unique(designs, axis=0, return_inverse=True)
    seeds = np.repeat(run_seeds(study.seed, 1, rounds, WORLDS), len(different), axis=0)
    outcome = outcome_from(study.learner, [study.game(tuple(weights)) for weights in different.tolist()], seeds)
    return [outcome.of(int(k)) for k in which.ravel()]


def _values(study: Study, outcomes: list[Outcome]) -> Array:
    """`[designs, rounds]` the objective."""
    return np.stack([study.goal.values(outcome)[0] for outcome in outcomes])


def _finer(study: Study, designs: Array, values: Array) -> Array:
    """`[designs]` by how much steps of bids and values half as wide move the objective, with the same seeds; 0 for learners
    whose grid is a part of their game."""
    if not study.learner.continuous:
        return np.zeros(len(designs))
    rounds = min(study.rounds, REFINED_ROUNDS)
    finer = on_finer_grid(study)
    return np.asarray((_values(finer, _fresh(finer, designs, rounds)) - values[:, :rounds]).mean(axis=1))


def _in_one(result: Result, outcomes: list[Outcome], designs: Array, own: int) -> tuple[Array, float, Array, Array]:
    """What designs bring in one scenario `[designs]`, what the best brings, how far losses may be off, and what theory says.

    The best is the one that the study of this scenario has recommended, for fresh rounds had no part in that; or one of the
    others that is known to be better. An error holds the chance of rounds; twice what finer grids change of the difference, and
    a quarter more, as in `pipeline.grid_resolution`; what learning leaves open; and what a design that was not tried is
    expected to bring more.
    """
    study = result.sweep.study
    rounds = _values(study, outcomes)
    ahead = rounds - rounds[own]
    known_ahead = ahead.mean(axis=1) - np.nan_to_num(_half_width(ahead))
    best = own if known_ahead.max() <= 0 else int(known_ahead.argmax())
    values = rounds.mean(axis=1)
    scale = abs(float(values[best])) or 1.0
    left = np.array([left_by_learning(study, outcome) for outcome in outcomes])
    evidence = Evidence(result.sweep.points, result.sweep.values(), result.surrogate.held_out)
    missed = expected_loss(result.surrogate, study.space.polytope, evidence, seed=study.seed)
    moved = _finer(study, designs, rounds)
    grid = 2.0 * SAFETY * np.abs(moved - moved[best])
    errors = (_half_width(rounds - rounds[best]) + grid + np.maximum(left, left[best])) / scale + missed
    exact = [_in_theory(study, tuple(weights)) for weights in designs.tolist()]
    return values, float(values[best]), errors, np.array(exact)


def _half_width(differences: Array) -> Array:
    """`[designs]` half the interval of a mean over rounds `[designs, rounds]`, by Student's t; NaN of one round."""
    rounds = differences.shape[1]
    if rounds == 1:
        return np.full(len(differences), np.nan)
    error = differences.std(axis=1, ddof=1) / np.sqrt(rounds)
    return np.asarray(float(stdtrit(rounds - 1, (1 + CONFIDENCE) / 2)) * error)


def _in_theory(study: Study, weights: tuple[float, ...]) -> float:
    """What a design brings by theory; NaN where there is no formula, or one that takes long to be had unasked."""
    game = study.game(weights)
    found = value_or_reason(game, study.goal) if game.simple else ""
    return float("nan") if isinstance(found, str) else found
