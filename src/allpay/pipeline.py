"""The whole way from a study to a design: sweep, surrogate, ascent, honest optimum, and the checks by simulation and theory."""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from allpay.acquisition import next_designs
from allpay.ascent import mirror_ascent, polish
from allpay.devices import check_devices
from allpay.errors import AllpayError
from allpay.game import Array, Game, Private, Setting
from allpay.learners import run_seeds
from allpay.learners.base import outcome_from
from allpay.optimum import Optimum, find_optimum
from allpay.outcome import Outcome, Verdict
from allpay.progress import Reporter, Silent
from allpay.simplex import looked_at
from allpay.study.store import Store
from allpay.study.study import CHECKING, CHOOSING, TRAINING, DesignSpace, Study
from allpay.study.sweep import Sweep, run
from allpay.surrogate import FEWEST_DESIGNS, QUICK, Surrogate, fit_surrogate
from allpay.theory import Equilibrium, design_objective, equilibrium

FEWEST_STEPS, FAR_OFF = 8, 0.05
"""Fewer steps of the grid up to the highest equilibrium bid, or revenue further off the closed form, call for a note."""

ASCENTS = 8
"""From how many of the best designs looked at the exact objective is ascended."""

ITERATIONS = 20
"""How many steps of ascent each of these is given, before the best of them is polished."""

REFINED_DESIGNS = 5
"""On how many designs the bid grid is refined to see what it hides."""


@dataclass(frozen=True)
class Estimate:
    """A mean over independent rounds.

    Attributes:
        rounds: `[rounds]` the value in each.
    """

    rounds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.rounds))

    @property
    def stderr(self) -> float:
        """Standard error of the mean; NaN for one round."""
        return float(np.std(self.rounds, ddof=1) / math.sqrt(len(self.rounds))) if len(self.rounds) > 1 else math.nan


@dataclass(frozen=True)
class ExactBest:
    """The best design by the closed-form equilibrium.

    Attributes:
        weights: `[bidders]` the design.
        value: the objective in its equilibrium.
        flat: whether all designs that have an equilibrium are worth the same, so that none is best.
        fraction: the share of the designs looked at that have a symmetric equilibrium; the others cannot be compared.
    """

    weights: tuple[float, ...]
    value: float
    flat: bool
    fraction: float


@dataclass(frozen=True)
class Result:
    """What a study says about the best design.

    Attributes:
        sweep: the study and all its rounds.
        surrogate: the ensemble fitted to them.
        optimum: the best design by the ensemble, with its uncertainty.
        resolution: the least difference that counts, in units of the objective: the larger of the error of the grids and of
            what a fresh simulation of as many rounds could tell from chance.
        checked: the objective at the best design, in fresh rounds with seeds not used before.
        check: the outcome of these rounds.
        exact: the objective of the equilibrium at the best design; None where there is no closed form.
        exact_best: the best design by theory; None where there is no closed form for any.
        seconds: how long it took.
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


def check_enough(study: Study) -> None:
    """Raise AllpayError if a study has too few designs to fit a network to."""
    if study.samples < FEWEST_DESIGNS:
        raise AllpayError(
            f"a surrogate needs at least {FEWEST_DESIGNS} designs to fit: got samples {study.samples}; take more, or look at "
            "one design with allpay simulate"
        )


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
    with reporter.stage(f"{study.space.rule}, {study.learner.name}: bidders learn"):
        choose = choose_next if study.active else None
        sweep = run(study, folder, reporter.advance, workers=workers, scheduler=scheduler, choose=choose)
    with reporter.stage(f"{study.space.rule}, {study.learner.name}: fitting, ascending, checking"):
        surrogate = fit_surrogate(sweep.weights, sweep.values(), seed=study.seed)
        resolution = max(grid_resolution(sweep), sampling_resolution(sweep, surrogate))
        optimum = optimum_of(study, surrogate, resolution)
        seeds = run_seeds(study.seed, 1, study.rounds, CHECKING)
        check = outcome_from(study.learner, [study.game(optimum.weights)], seeds)
        checked = Estimate(tuple(objective_of(check, study.objective)[0].tolist()))
        assert study.setting is not None
        exact = equilibrium(study.game(optimum.weights))
        exact_best = best_in_theory(study.space, study.setting, study.objective)
    return Result(
        sweep=sweep,
        surrogate=surrogate,
        optimum=optimum,
        resolution=resolution,
        checked=checked,
        check=check,
        exact=None if exact is None else float(getattr(exact, study.objective.replace("-", "_"))),
        exact_best=exact_best,
        seconds=time.perf_counter() - start,
    )


def optimum_of(study: Study, surrogate: Surrogate, resolution: float = 0.0) -> Optimum:
    """The best design of a study by a surrogate."""
    return find_optimum(
        surrogate,
        study.space.bidders,
        polytope=study.space.polytope,
        resolution=resolution,
        objective=study.objective,
        seed=study.seed,
    )


def choose_next(sweep: Sweep, count: int) -> Array | str:
    """The designs that an active study simulates next, or why it needs no more; see `allpay.study.sweep.Choose`.

    An ensemble is fitted to all that has been found, and its bounds are ascended (`allpay.acquisition`). The study stops
    when the interval of the best value is narrower than its precision, both by this ensemble and by the one that the answer
    will come from.

    Raises:
        AllpayError: if there are too few designs to fit.
    """
    study, weights, values = sweep.study, sweep.weights, sweep.values()
    surrogate = fit_surrogate(weights, values, study.seed, **QUICK)
    if study.precision is not None and _width(study, surrogate) < study.precision:
        width = _width(study, fit_surrogate(weights, values, study.seed))
        if width < study.precision:
            return (
                f"the interval of the best value is {width:.2g} of it wide, within the precision of {study.precision:g}"
            )
    seed = np.random.SeedSequence(study.seed, spawn_key=(CHOOSING, len(weights)))
    return next_designs(surrogate, study.space.polytope, weights, count, int(seed.generate_state(1)[0]))


def _width(study: Study, surrogate: Surrogate) -> float:
    """How wide the interval of the best value is, as a part of it."""
    best = optimum_of(study, surrogate)
    return (best.high - best.low) / abs(best.value) if best.value != 0 else math.inf


def objective_of(outcome: Outcome, objective: str) -> Array:
    """`[designs, rounds]` the objective of an outcome."""
    return outcome.highest_bid if objective == "highest-bid" else outcome.revenue


def coarseness(game: Game, exact: Equilibrium | None, revenue: float) -> str | None:
    """A sentence for the user where the grid of a game is too coarse to stand for continuous bids and values, else None."""
    if exact is None:
        return None
    top, step = float(exact.bid[-1]), game.top_bid / (game.bid_levels - 1)
    if 0 < top < FEWEST_STEPS * step:
        return (
            f"The grid is coarse: its step is {step:.3g}, and equilibrium bids reach only {top:.3g}; "
            "give more --bid-levels or a lower --max-bid."
        )
    off = abs(revenue - exact.revenue) / exact.revenue if exact.revenue > 0 else 0.0
    if off > FAR_OFF:
        kinds, remedy = (
            ("bids", "--bid-levels") if game.values.exact else ("bids and values", "--bid-levels and --value-levels")
        )
        return (
            f"Revenue is {off:.0%} off the closed form, which is for continuous {kinds}: "
            f"if the rounds converged, the grid is too coarse; give more {remedy}."
        )
    return None


def grid_resolution(sweep: Sweep) -> float:
    """What the grids leave open, in units of the objective: how far it can be off because bids and values are discrete.

    A few designs are learned again with steps half as wide. An error of first order in the step is twice the change that
    this makes, and the comparison of two designs can be wrong by as much: the largest such error among them is returned.
    Designs under which all rounds converged are preferred, for elsewhere the change is not the grid's alone. It is 0 for
    learners whose grid is a part of their game.
    """
    study = sweep.study
    setting = study.setting
    if setting is None or not study.learner.continuous:
        return 0.0
    values = setting.values
    finer = replace(
        study,
        setting=replace(
            setting,
            bid_levels=2 * setting.bid_levels - 1,
            values=replace(values, levels=2 * values.levels) if isinstance(values, Private) else values,
        ),
    )
    settled = (sweep.values("verdict") == Verdict.CONVERGED.value).all(axis=1)
    order = np.argsort(sweep.weights[:, 0])
    order = order[settled[order]] if settled.any() else order
    chosen = order[np.linspace(0, len(order) - 1, min(REFINED_DESIGNS, len(order))).astype(int)]
    seeds = run_seeds(study.seed, chosen.tolist(), min(study.rounds, 3), TRAINING)
    refined = outcome_from(study.learner, [finer.game(sweep.weights[d]) for d in chosen], seeds)
    coarse = sweep.values()[chosen, : seeds.shape[1]]
    return 2.0 * float(np.abs(objective_of(refined, study.objective).mean(axis=1) - coarse.mean(axis=1)).max())


def sampling_resolution(sweep: Sweep, surrogate: Surrogate) -> float:
    """The least difference that a fresh simulation of two designs, of as many rounds, could tell from chance.

    It is the standard error of that difference, from the scatter between rounds; with one round, twice the held-out error.
    The ensemble may be surer than that, since it sees all designs at once; but what it claims beyond it could not be checked.
    """
    values = sweep.values()
    if values.shape[1] == 1:
        return 2.0 * surrogate.rmse
    return float(np.sqrt(2.0 * values.var(axis=1, ddof=1).mean() / values.shape[1]))


def best_in_theory(space: DesignSpace, setting: Setting, objective: str = "revenue") -> ExactBest | None:
    """The design whose symmetric equilibrium is best: the exact objective, ascended by its own gradient.

    Args:
        space: the designs.
        setting: who bids for what.
        objective: `revenue` or `highest-bid`.

    Returns:
        None where no design that was looked at has an equilibrium in closed form.
    """
    corners, uniform = looked_at(space.polytope, count=101)
    designs = np.concatenate([corners, uniform])
    try:
        exact = design_objective(setting.game(space.mechanism(uniform[-1])), space.rule, objective)
    except AllpayError:  # values with atoms that do not say where
        return None
    values = exact(designs)[0]
    known = np.isfinite(values)
    if not known.any():
        return None
    order = np.argsort(-np.where(known, values, -np.inf), kind="stable")
    best, value = designs[order[0]], float(values[order[0]])
    try:
        starts = designs[order[: min(ASCENTS, known.sum())]]
        found = mirror_ascent(exact, starts, polytope=space.polytope, iterations=ITERATIONS)
        if found.value > value:
            best, value = found.weights, found.value
    except AllpayError:  # equilibria at the corners of the space only, with none beside them to ascend
        pass
    best, value = polish(exact, best, polytope=space.polytope)
    flat = value - float(np.nanmin(values)) <= 1e-6 * abs(value)
    return ExactBest(tuple(best.tolist()), value, flat, float(known.mean()))
