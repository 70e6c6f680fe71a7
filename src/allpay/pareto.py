"""Several objectives at once: the designs of which none is better than another in all of them, a Pareto front.

One sweep serves all objectives. An ensemble is fitted to each; sums of them with many weights are ascended, the designs that
no other beats in every prediction are kept, and fresh rounds say what these bring. By theory the same search is exact.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from allpay.ascent import few_corners, mirror_ascent, polish, thinned
from allpay.contest.game import Array, Setting
from allpay.errors import AllpayError
from allpay.exact import objective_at, with_fewest
from allpay.frozen import ByValue
from allpay.learners import run_seeds
from allpay.learners.base import outcome_from
from allpay.objectives import Objective, objectives
from allpay.pipeline import check_enough, choose_next, game_at
from allpay.progress import Reporter, Silent
from allpay.simplex import Polytope, looked_at
from allpay.study.store import Store
from allpay.study.study import FRONT, DesignSpace, Study
from allpay.study.sweep import Sweep, run
from allpay.surrogate import fit_surrogate

POINTS = 9
"""Designs of a front that are told, at most."""

LOOKED = 401
"""Designs that are looked at before any is ascended from."""

STEPS = 16
"""Into so many steps the weights of a sum of two objectives are divided; of three, half as many, and so on."""

FINE, NEAR, SAME = 500, 0.05, 1e-3
"""Sums among which one is looked for that a design is best for; and parts of the range of objectives in which a design on the
front stands for one that was looked at, and in which two are the same."""

ITERATIONS = 60
"""Steps of ascent for each such sum."""

TIE = 1e-6
"""What other objectives count beside the one that an end of the front is best for: which of equally good designs it is."""

ROUNDING = 1e-9
"""By so little of its range an objective may be lower where others are higher."""

_ValueAndGradient = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class Front(ByValue):
    """Designs of which none is better than another in all objectives.

    Attributes:
        space: the designs.
        objectives: what they are good for, at least two.
        weights: `[points, bidders]` the designs, the best by the first objective first.
        values: `[points, objectives]` what they bring: means of fresh rounds, or theory's.
        errors: `[points, objectives]` standard errors; 0 by theory, NaN of one round.
        efficient: `[points]` whether no other point is as good in all and better in one, as measured.
        rounds: how many fresh rounds each has; 0 by theory.
        sweep: the designs that were simulated; None by theory.
        seconds: how long it took.
    """

    space: DesignSpace
    objectives: tuple[Objective, ...]
    weights: Array
    values: Array
    errors: Array
    efficient: NDArray[np.bool_]
    rounds: int
    sweep: Sweep | None = None
    seconds: float = field(default=0.0, compare=False)


@np.errstate(under="ignore")
def pareto(
    study: Study,
    also: Sequence[str | Objective],
    folder: Path | str | Store | None = None,
    reporter: Reporter | None = None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
) -> Front:
    """The front of a study's objective and others, from one sweep, checked by fresh rounds.

    Args:
        study: what to run; at least five designs.
        also: the other objectives.
        folder, workers, scheduler: see `allpay.study.run`.
        reporter: is told how far it is.

    Raises:
        AllpayError: if an objective is there twice or cannot be had, the study has too few designs, or the folder cannot be
            used.
    """
    start, reporter = time.perf_counter(), reporter or Silent()
    goals = _several([study.goal, *also], study.space.bidders)
    check_enough(study)
    for goal in goals:
        goal.load()
    with reporter.stage(f"{study.space.rule}, {study.learner.name}: bidders learn"):
        choose, texts = (choose_next if study.active else None), [goal.text for goal in goals[1:]]
        sweep = run(study, folder, reporter.advance, workers=workers, scheduler=scheduler, choose=choose, also=texts)
    with reporter.stage(f"{study.space.rule}, {study.learner.name}: fitting, ascending, checking"):
        fitted = [fit_surrogate(sweep.points, sweep.values(goal.column), seed=study.seed) for goal in goals]
        points = search([surrogate.value_and_gradient for surrogate in fitted], study.space.polytope, study.seed)
        outcome = outcome_from(
            study.learner,
            [game_at(study, point) for point in points],
            run_seeds(study.seed, len(points), study.rounds, FRONT),
        )
        found = np.stack([goal.values(outcome) for goal in goals], axis=-1)  # [points, rounds, objectives]
    values = found.mean(axis=1)
    spread = found.std(axis=1, ddof=1) if study.rounds > 1 else np.full_like(values, np.nan)
    errors = spread / np.sqrt(study.rounds)
    order = np.argsort(-values[:, 0], kind="stable")
    return Front(
        *(study.space, goals, study.space.designs(points[order])),
        *(values[order], errors[order], undominated(values[order])),
        *(study.rounds, sweep, time.perf_counter() - start),
    )


def pareto_in_theory(space: DesignSpace, setting: Setting, texts: Sequence[str | Objective]) -> Front:
    """The front of several objectives in equilibrium.

    Raises:
        AllpayError: if theory has no gradient of one of them, or no design that was looked at has an equilibrium.
    """
    start, goals = time.perf_counter(), _several(texts, space.bidders)
    exact = [objective_at(space, setting, goal) for goal in goals]
    points = polished(exact, search(exact, space.polytope, 0), space.polytope)
    values = _values(exact, points)
    order = np.argsort(-values[:, 0], kind="stable")
    points, values = points[order], values[order]
    return Front(
        *(space, goals, space.designs(points), values, np.zeros_like(values), undominated(values), 0, None),
        time.perf_counter() - start,
    )


def _several(texts: Sequence[str | Objective], bidders: int) -> tuple[Objective, ...]:
    goals = objectives(texts)
    if len(goals) < 2:
        raise AllpayError("a front is of two objectives or more: give another")
    for goal in goals:
        goal.check(bidders)
    return goals


def search(functions: Sequence[_ValueAndGradient], where: Polytope, seed: int) -> Array:
    """`[points, n]` designs spread over the front of some functions, the best by each among them.

    Raises:
        AllpayError: if the functions are not defined at any design that is looked at.
    """
    designs = np.concatenate(looked_at(where, LOOKED, seed))
    values = _values(functions, designs)
    known = np.all(np.isfinite(values), axis=1)
    if not known.any():
        raise AllpayError(
            "no design that was looked at has an equilibrium in closed form: simulate the designs instead"
        )
    designs, values = designs[known], values[known]
    unit = _units(values)
    for shares in _mixes(len(functions)):
        designs, values = _joined(functions, shares / unit, designs, values, where)
    chosen = _spread_out(values, unit)
    fine = np.random.default_rng(seed).dirichlet(np.ones(len(functions)), FINE) / unit
    for i in (
        chosen
    ):  # a design that was only looked at gives way to one close by on the front: of the sum that it is best for
        regret = (values @ fine.T).max(axis=0) - fine @ values[i]
        designs, values = _joined(functions, fine[np.argmin(regret)], designs, values, where, designs[i])
    # those that were ascended, unless one that was only looked at is far from them all
    near = _near(values, values[known.sum() :], unit)
    kept = np.where(near & (np.arange(len(values)) < known.sum()), False, True)
    designs, values = designs[kept], values[kept]
    return designs[_spread_out(values, unit)]


def polished(functions: Sequence[_ValueAndGradient], designs: Array, where: Polytope) -> Array:
    """`[points, n]` the points of a front `[points, n]`, each to the last digits: the ends where the function that they are
    best for is highest, next to themselves, other points and the corners; those between as far as all functions rise together.
    """
    values = _values(functions, designs)
    unit = _units(values)
    if not np.any(np.isfinite(unit)):  # one design is best for all
        scale = np.abs(values).max(axis=0)
        return _polished(_summed(functions, 1 / np.where(scale > 0, scale, 1.0)), designs[0], where)[None]
    few = few_corners(where)
    known = designs if few is None else np.concatenate([designs, few])
    worth = np.nan_to_num(_values(functions, known), nan=-np.inf)
    ends = []
    for j in np.flatnonzero(
        np.isfinite(unit)
    ):  # of those that are equally good for it, one that is best for the others
        sums = np.where(np.arange(len(functions)) == j, 1.0, TIE) / unit
        starts = {int(np.argmax(values[:, j])), int(np.argmax(worth @ sums))}
        ends += [_polished(_summed(functions, sums), known[start], where) for start in sorted(starts)]
    every = np.stack([*ends, *(_raised(functions, design, unit, where) for design in designs)])
    return every[_spread_out(_values(functions, every), unit)]


def _polished(function: _ValueAndGradient, start: Array, where: Polytope) -> Array:
    """Where a function is highest next to a design."""
    found, value = polish(function, start, polytope=where)
    return with_fewest(function, found, value, where)[0]


def _raised(functions: Sequence[_ValueAndGradient], start: Array, unit: Array, where: Polytope) -> Array:
    """The design next to one at which the sum of functions is highest of all at which none is lower, by sequential quadratic
    programming; the design itself, if there is no better one."""
    from scipy.optimize import minimize

    among = thinned(where, start)
    coordinates, least = among.coordinates(start), _values(functions, start[None])[0]
    blocks, corners = coordinates.shape
    kept = np.isfinite(unit)

    def design(flat: Array) -> Array:
        lam = np.maximum(flat.reshape(blocks, corners), 0.0)
        return among.weights(lam / lam.sum(axis=1, keepdims=True))

    def gained(flat: Array) -> Array:
        found = (_values(functions, design(flat)[None])[0] - least)[kept] / unit[kept]
        return np.where(np.isfinite(found), found, -1.0)

    def slopes(flat: Array) -> Array:
        at = design(flat)[None]
        slope = np.stack([np.asarray(function(at)[1], float)[0] for function in functions])[kept] / unit[kept, None]
        return np.nan_to_num(slope @ among.corners.reshape(blocks * corners, -1).T)

    sums = np.kron(np.eye(blocks), np.ones(corners))
    found = minimize(
        lambda flat: -gained(flat).sum(),
        coordinates.ravel(),
        jac=lambda flat: -slopes(flat).sum(axis=0),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * coordinates.size,
        constraints=[
            {"type": "eq", "fun": lambda flat: sums @ flat - 1, "jac": lambda flat: sums},
            {"type": "ineq", "fun": gained, "jac": slopes},
        ],
        options={"ftol": 1e-12, "maxiter": 200},
    )
    gain = gained(found.x)
    return design(found.x) if gain.min() >= -ROUNDING and gain.sum() > 0 else start


def _units(values: Array) -> Array:
    """`[objectives]` the range of each, in which differences are counted; of one that is flat, which sets nothing apart, ∞."""
    span = np.ptp(values, axis=0)
    return np.where(span > 1e-12 * np.abs(values).max(axis=0), span, np.inf)


def _near(values: Array, others: Array, unit: Array) -> NDArray[np.bool_]:
    """`[points]` whether one of the others `[others, objectives]` stands for each of the points `[points, objectives]`."""
    return np.asarray(np.abs((values[:, None] - others) / unit).max(axis=2).min(axis=1, initial=np.inf) < NEAR)


def _joined(
    functions: Sequence[_ValueAndGradient],
    weights: Array,
    designs: Array,
    values: Array,
    where: Polytope,
    start: Array | None = None,
) -> tuple[Array, Array]:
    """The designs and their values with where a sum is highest, ascended from the best known or from `start`."""
    start = designs[np.argmax(values @ weights)] if start is None else start
    found = _ascended(functions, weights, start, where)
    at = None if found is None else _values(functions, found[None])
    if found is None or at is None or not np.all(np.isfinite(at)):
        return designs, values
    return np.concatenate([designs, found[None]]), np.concatenate([values, at])


def _values(functions: Sequence[_ValueAndGradient], designs: Array) -> Array:
    return np.stack([np.asarray(function(designs)[0], float) for function in functions], axis=-1)


def _mixes(count: int) -> list[Array]:
    """`[objectives]` weights of sums, on a grid of the simplex."""
    steps = max(2, STEPS // (count - 1))
    return [np.array(parts) / steps for parts in product(range(steps + 1), repeat=count) if sum(parts) == steps]


def _ascended(functions: Sequence[_ValueAndGradient], weights: Array, start: Array, where: Polytope) -> Array | None:
    """Where a sum is highest, from one design; None where it cannot be ascended."""
    if not np.any(weights > 0) or where.freedom == 0:
        return None
    try:
        return mirror_ascent(_summed(functions, weights), start[None], polytope=where, iterations=ITERATIONS).weights
    except AllpayError:  # it is not defined beside its start
        return None


def _summed(functions: Sequence[_ValueAndGradient], weights: Array) -> _ValueAndGradient:
    """The sum of functions with weights, of which some are not 0, and its gradient."""

    def summed(points: Array) -> tuple[Array, Array]:
        parts = [(w, *function(points)) for w, function in zip(weights, functions, strict=True) if w > 0]
        value = sum(w * np.asarray(v, float) for w, v, _ in parts)
        return np.asarray(value), np.asarray(sum(w * np.asarray(g, float) for w, _, g in parts))

    return summed


def undominated(values: Array) -> NDArray[np.bool_]:
    """`[points]` whether no other of the points `[points, objectives]` is as good in all and better in one."""
    return np.array(
        [not np.any(np.all(values >= row, axis=1) & np.any(values > row, axis=1)) for row in values], dtype=bool
    )


def _spread_out(values: Array, unit: Array) -> list[int]:
    """At most `POINTS` that no other beats: the best by each objective, then again and again the one furthest from these."""
    front = np.flatnonzero(undominated(values))
    own = values[front] / unit
    chosen = list(dict.fromkeys(int(i) for i in np.argmax(own, axis=0)))
    while len(chosen) < min(POINTS, len(front)):
        apart = np.min(np.abs(own[:, None] - own[chosen]).max(axis=2), axis=1)
        furthest = int(np.argmax(apart))
        if apart[furthest] < SAME:
            break
        chosen.append(furthest)
    return [int(front[i]) for i in chosen]
