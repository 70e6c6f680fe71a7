"""The whole way from a study to a design: sweep, surrogate, ascent, honest optimum, and the checks by simulation and theory."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from allpay.acquisition import next_designs, overlooked, rivals
from allpay.contest.game import Array, Game
from allpay.devices import check_devices
from allpay.errors import AllpayError
from allpay.evidence import Evidence
from allpay.exact import ExactBest, best_in_theory
from allpay.frozen import ByValue, Drawn, Framed
from allpay.learners import run_seeds
from allpay.learners.base import outcome_from
from allpay.optimum import Optimum, expected_loss, find_optimum, highest
from allpay.outcome import Outcome, Verdict
from allpay.progress import Reporter, Silent
from allpay.rounding import in_steps
from allpay.simulation import Estimate, changes_on_finer_grid
from allpay.study.store import Store
from allpay.study.study import CHECKING, CHOOSING, LOOKING, Study
from allpay.study.sweep import Sweep, run
from allpay.surrogate import FEWEST_DESIGNS, QUICK, Surrogate, fit_surrogate, prepare
from allpay.theory import failure, value_or_reason

if TYPE_CHECKING:
    from polars import DataFrame

MOST_RIVALS = 8
"""At how many candidates, at most, fresh rounds look before one is recommended."""

REFINED_DESIGNS = 5
"""On how many designs the bid grid is refined to see what it hides."""

SAFETY = 1.25
"""By which the estimate of the grid's error is multiplied (Roache 1994)."""

ASTRAY = 2.0
"""How many times its distance from equilibrium, as a part of itself, the revenue of a run that converged is held to be off.
With this and `SAFETY` the interval of the value holds theory's as often as `benchmarks/against_theory.py` says."""


@dataclass(frozen=True)
class Announced:
    """A design in whole steps.

    Attributes:
        weights: `[bidders]` the design, in parts of the whole.
        value: the objective in fresh rounds; they are those that check the best design, with the same random numbers.
        loss: by how much less it brings than the best, in each of these rounds.
    """

    weights: tuple[float, ...]
    value: Estimate
    loss: Estimate


@dataclass(frozen=True, eq=False)
class Result(ByValue, Drawn, Framed):
    """What a study says about the best design.

    Attributes:
        sweep: the study and all its rounds.
        surrogate: the ensemble fitted to them.
        optimum: the best design by the ensemble, with its uncertainty.
        grid: what the grids of bids and values leave open, in units of the objective.
        resolution: the least difference that counts, in units of the objective: the larger of the error of the grids and of
            what a fresh simulation of as many rounds could tell from chance.
        checked: the objective at the best design, in fresh rounds with seeds not used before; `optimum` has its interval.
        check: the outcome of these rounds.
        exact: the objective of the equilibrium at the best design; None where there is no closed form.
        exact_best: the best design by theory; None where there is no closed form for any.
        seconds: how long it took.
        theory_missing: one sentence on why theory could not name its best design, if it failed; None if it did not.
        learning: what learning leaves open at the best design, in units of the objective.
        announced: the best design in steps that can be announced, if the study asks for it.
    """

    sweep: Sweep
    surrogate: Surrogate
    optimum: Optimum
    resolution: float
    checked: Estimate
    check: Outcome
    exact: float | None
    exact_best: ExactBest | None
    seconds: float
    grid: float = 0.0
    theory_missing: str | None = None
    learning: float = 0.0
    announced: "Announced | None" = None

    @property
    def bids(self) -> "DataFrame":
        """What bidders learned to bid under every design of the sweep: a row per design, round, group and value, see
        `Sweep.bids`. What they bid under the best design, in the rounds that check it, is `bids_of(result.check)`."""
        return self.sweep.bids


def check_enough(study: Study) -> None:
    """Raise AllpayError if a study has too few designs to fit a network to."""
    if study.samples < FEWEST_DESIGNS:
        raise AllpayError(
            f"a surrogate needs at least {FEWEST_DESIGNS} designs to fit: got samples {study.samples}; take more, or look at "
            "one design with allpay simulate"
        )
    _ = study.space.polytope.corners  # what takes too much memory is said now


@np.errstate(under="ignore")  # whatever the user has set: a probability of 1e-400 is 0
def design(
    study: Study,
    folder: Path | str | Store | None = None,
    reporter: Reporter | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Result:
    """Find the best design of a study.

    Args:
        study: what to run; at least five designs.
        folder: where finished batches are kept, see `allpay.study.run`.
        reporter: is told how far it is.
        workers, scheduler: where bidders learn, see `allpay.study.run`.

    Raises:
        AllpayError: if the study has too few designs to fit, or the folder cannot be used.
    """
    check_enough(study)
    check_devices()
    reporter = reporter or Silent()
    start = time.perf_counter()
    with reporter.stage(f"{study.space.rule}, {study.learner.name}: bidders learn"), ThreadPoolExecutor(1) as beside:
        if not study.active:  # how many designs there will be is not known
            beside.submit(
                prepare, study.samples, study.space.polytope.corners.shape[-1]
            )  # if it fails, the fit says so
        choose = choose_next if study.active else None
        sweep = run(study, folder, reporter.advance, workers=workers, scheduler=scheduler, choose=choose)
    with reporter.stage(f"{study.space.rule}, {study.learner.name}: fitting, ascending, checking"):
        surrogate = fit_surrogate(sweep.points, sweep.values(), seed=study.seed)
        grid = grid_resolution(sweep)
        resolution = max(grid, sampling_resolution(sweep, surrogate))
        evidence = Evidence(sweep.points, sweep.values(), surrogate.held_out, grid)
        best, evidence = look_again(study, surrogate, evidence)
        check = outcome_from(study.learner, [game_at(study, best)], run_seeds(study.seed, 1, study.rounds, CHECKING))
        checked = Estimate(tuple(study.goal.values(check)[0].tolist()))
        optimum = measured_optimum(study, surrogate, evidence, resolution, best, check)
        announced = _announced(study, surrogate, best, check)
        exact, exact_best, missing = _theory_beside(study, optimum)
    return Result(
        sweep=sweep,
        surrogate=surrogate,
        optimum=optimum,
        resolution=resolution,
        checked=checked,
        check=check,
        exact=exact,
        exact_best=exact_best,
        seconds=time.perf_counter() - start,
        grid=grid,
        theory_missing=missing,
        learning=left_by_learning(study, check),
        announced=announced,
    )


def _announced(study: Study, surrogate: Surrogate, best: tuple[float, ...], check: Outcome) -> Announced | None:
    """The best design in steps that can be announced, by the surrogate, held against the best in its fresh rounds."""
    if study.step is None:
        return None
    point = in_steps(lambda points: surrogate.predict(points)[0], study.space, np.array(best), study.step)
    seeds = run_seeds(study.seed, 1, study.rounds, CHECKING)
    outcome = outcome_from(study.learner, [game_at(study, point)], seeds)
    values, of_best = study.goal.values(outcome)[0], study.goal.values(check)[0]
    weights = tuple(point[: study.bidders].tolist())
    return Announced(weights, Estimate(tuple(values.tolist())), Estimate(tuple((of_best - values).tolist())))


def _theory_beside(study: Study, optimum: Optimum) -> tuple[float | None, ExactBest | None, str | None]:
    """What theory says of the best design, the best design by theory, and what is missing of the two if theory fails."""
    assert study.setting is not None
    game = study.game(optimum.design)
    found, missing = value_or_reason(game, study.goal), None
    exact = None if isinstance(found, str) else found
    if not game.simple:  # that takes too long to be had unasked: `--method theory` finds it
        return exact, None, None
    try:
        best = best_in_theory(study.space, study.setting, study.objective)
    except Exception as error:  # the simulations are done, and worth keeping whatever theory does
        best, missing = None, failure(error)
    return exact, best, missing


def optimum_of(study: Study, surrogate: Surrogate, resolution: float = 0.0) -> Optimum:
    """The best design of a study by a surrogate."""
    return find_optimum(
        surrogate,
        study.space.bidders,
        polytope=study.space.polytope,
        resolution=resolution,
        objective=study.goal.words,
        least=min(
            study.goal.least(study.game(d)) for d in (study.space.ends if study.space.choose else study.designs[:1])
        ),
        beside=beside_of(study),
        seed=study.seed,
    )


def beside_of(study: Study) -> list[tuple[str, float, float]]:
    """What is chosen beside the weights, as `find_optimum` takes it."""
    return [(choice.name, choice.low, choice.high) for choice in study.space.choose]


def game_at(study: Study, point: ArrayLike) -> Game:
    """The game at a point of the polytope of a study's designs."""
    return study.game(tuple(study.space.designs(point).tolist()))


def look_again(study: Study, surrogate: Surrogate, evidence: Evidence) -> tuple[tuple[float, ...], Evidence]:
    """The design to recommend, as a point of the polytope, after fresh rounds at the best few, and the evidence with these.

    The candidates are where the ensemble's mean is highest and where it may underrate designs (`allpay.acquisition.rivals`).
    Each is judged by its prediction and its fresh rounds, weighted by their precision; what it brought in the sweep does not
    count, for it may be a candidate because of that. What the winner is worth is for other rounds to say, since it was chosen
    by these.
    """
    polytope = study.space.polytope
    count = min(MOST_RIVALS, 2 + len(evidence.means) // 8)
    best = highest(surrogate, polytope, seed=study.seed)
    candidates = rivals(surrogate, evidence, polytope, best, count, study.seed) if polytope.freedom else best[None]
    if len(candidates) == 1:
        return tuple(best.tolist()), evidence
    seeds = run_seeds(study.seed, len(candidates), study.rounds, LOOKING)
    looked = outcome_from(study.learner, [game_at(study, point) for point in candidates], seeds)
    fresh = Evidence(candidates, study.goal.values(looked), surrogate.predict(candidates)[0])
    error = surrogate.predict(candidates)[1] ** 2 + evidence.misfit(candidates) ** 2
    noise = evidence.variances[evidence.near(candidates)].mean(axis=1) / study.rounds
    score = (fresh.held_out * noise + fresh.means * error) / (noise + error)
    return tuple(candidates[int(np.argmax(score))].tolist()), evidence.joined(fresh)


def measured_optimum(
    study: Study,
    surrogate: Surrogate,
    evidence: Evidence,
    resolution: float,
    point: tuple[float, ...],
    check: Outcome,
    confidence: float = 0.9,
) -> Optimum:
    """The answer for one design, a point of the polytope, worth what its fresh rounds bring.

    The interval of the value is that of the mean of these rounds, widened on either side by what the grids and learning leave
    open, and without what nobody can pay.
    """
    rounds = study.goal.values(check)[0]
    at, value = np.array(point), float(rounds.mean())
    half = evidence.half_width(at, rounds, confidence) + evidence.grid + left_by_learning(study, check)
    most, least = study.goal.most(check.games[0]), study.goal.least(check.games[0])
    most = most if rounds.max() <= most else math.inf
    low, high = max(value - half, min(value, least)), min(value + half, most)
    fresh = Evidence(at[None], rounds[None], surrogate.predict(at[None])[0])
    return find_optimum(
        surrogate,
        study.space.bidders,
        polytope=study.space.polytope,
        confidence=confidence,
        resolution=resolution,
        objective=study.goal.words,
        evidence=evidence.joined(fresh),
        at=at,
        measured=(value, low, high),
        most=most,
        least=least,
        beside=beside_of(study),
        seed=study.seed,
    )


def choose_next(sweep: Sweep, count: int) -> Array | str:
    """The designs that an active study simulates next, or why it needs no more; see `allpay.study.sweep.Choose`.

    An ensemble is fitted to all that has been found, and its bounds are ascended; of several designs one goes where the
    ensemble would not look (`allpay.acquisition`). The study stops when the design that would be recommended is expected to
    lose less than its precision, both by this ensemble and by the one that the answer will come from.

    Raises:
        AllpayError: if there are too few designs to fit.
    """
    study, points, values = sweep.study, sweep.points, sweep.values()
    surrogate = fit_surrogate(points, values, study.seed, **QUICK)
    evidence, polytope = Evidence(points, values, surrogate.held_out), study.space.polytope
    if study.precision is not None and expected_loss(surrogate, polytope, evidence, seed=study.seed) < study.precision:
        last = fit_surrogate(points, values, study.seed)
        loss = expected_loss(last, polytope, Evidence(points, values, last.held_out), seed=study.seed)
        if loss < study.precision:
            return (
                f"the design recommended is expected to lose {loss:.2g} of the best value, within the precision of "
                f"{study.precision:g}; that value itself is predicted in an interval {_width(study, last):.2g} of it wide"
            )
    seed = np.random.SeedSequence(study.seed, spawn_key=(CHOOSING, len(points)))
    drawn = int(seed.generate_state(1)[0])
    if count == 1:
        return study.space.designs(next_designs(surrogate, polytope, points, 1, drawn))
    chosen = next_designs(surrogate, polytope, points, count - 1, drawn)
    other = overlooked(evidence, polytope, np.concatenate([points, chosen]), drawn)
    return study.space.designs(np.concatenate([chosen, other[None]]))


def _width(study: Study, surrogate: Surrogate) -> float:
    """How wide the interval of the best value is, as a part of it."""
    best = optimum_of(study, surrogate)
    return (best.high - best.low) / abs(best.value) if best.value != 0 else math.inf


def grid_resolution(sweep: Sweep) -> float:
    """What the grids leave open, in units of the objective: how far it can be off because bids and values are discrete.

    A few designs are learned again with steps half as wide. An error of first order in the step is twice the change that
    this makes, and a comparison of two designs can be off by as much. The largest such error among them is taken, and a
    quarter more, since errors of grids fall less regularly than that (`SAFETY`). Designs under which all rounds converged
    are preferred, for elsewhere the change is not the grid's alone. Of a change only what goes beyond the chance between
    rounds counts. It is 0 for learners whose grid is a part of their game.

    References:
        Roache (1994), Perspective: a method for uniform reporting of grid refinement studies.
    """
    study = sweep.study
    if study.setting is None or not study.learner.continuous:
        return 0.0
    settled = (sweep.values("verdict") == Verdict.CONVERGED.value).all(axis=1)
    order = np.argsort(sweep.weights[:, 0])
    order = order[settled[order]] if settled.any() else order
    chosen = order[np.linspace(0, len(order) - 1, min(REFINED_DESIGNS, len(order))).astype(int)]
    changes = changes_on_finer_grid(study, sweep.weights[chosen], chosen.tolist(), sweep.values()[chosen])
    return 2.0 * SAFETY * beyond_chance(changes)


def left_by_learning(study: Study, check: Outcome) -> float:
    """How far the objective may be from that of an equilibrium of the grid because learning ended within its tolerance.

    It is in proportion to how far the strategies are from an equilibrium (`allpay.outcome.distance`), counted up to the
    tolerance, since of rounds that did not converge the verdict speaks. It is 0 for learners whose grid is a part of their
    game, for what these do is the answer.
    """
    if not study.learner.continuous:
        return 0.0
    near = float(np.minimum(check.distance, check.tolerance).mean())
    return ASTRAY * near * abs(float(study.goal.values(check).mean()))


def beyond_chance(changes: Array) -> float:
    """The largest mean change of some designs `[designs, rounds]`, less what the scatter of rounds alone would make of it in 19
    of 20 cases; with one round, all of it."""
    designs, rounds = changes.shape
    largest = float(np.abs(changes.mean(axis=1)).max())
    if rounds == 1:
        return largest
    error = float(np.sqrt(changes.var(axis=1, ddof=1).mean() / rounds))
    return max(0.0, largest - float(stdtrit(designs * (rounds - 1), 1 - 0.025 / designs)) * error)


def sampling_resolution(sweep: Sweep, surrogate: Surrogate) -> float:
    """The least difference that a fresh simulation of two designs, of as many rounds, could tell from chance.

    It is the standard error of that difference, from the scatter between rounds; with one round, twice the held-out error.
    The ensemble may be surer than that, since it sees all designs at once; but what it claims beyond it could not be checked.
    """
    values = sweep.values()
    if values.shape[1] == 1:
        return 2.0 * surrogate.rmse
    return float(np.sqrt(2.0 * values.var(axis=1, ddof=1).mean() / values.shape[1]))
