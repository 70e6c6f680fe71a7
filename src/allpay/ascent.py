"""Mirror ascent on the polytopes of `simplex`, in which designs lie.

What is ascended is given as a function of the weights; this file knows no network, no game and no theory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.bounded import Bounded
from allpay.errors import AllpayError
from allpay.frozen import ByValue
from allpay.simplex import OrderedSimplex, Polytope

Array = NDArray[np.float64]
ValueAndGradient = Callable[[Array], tuple[ArrayLike, ArrayLike]]
"""Weights `[points, n]` to the objective `[points]` and its gradient in the weights `[points, n]`."""

MANY = 40
"""Of more corners than this only some are looked at in polishing, whose steps take time in proportion to their cube."""

FALL = 1e-12
"""A weight that is more than this above the next is a corner's fall."""

APART = 0.7
"""How far apart these are, in standard deviations of the rank of one bidder."""

FLOOR = -60.0
"""The lowest logarithm of a coordinate: e^−60 is 0 to every purpose, and the ascent can still come back from it."""


@dataclass(frozen=True, eq=False)
class Ascent(ByValue):
    """Where mirror ascent came to.

    Attributes:
        weights: `[n]` the best weights over all starts.
        value: the objective there.
        all_weights: `[starts, n]` where each start ended.
        all_values: `[starts]` the objective there; −inf where it is not defined.
        converged: `[starts]` whether no step improved any more, before the iterations ran out.
        iterations: steps taken.
    """

    weights: Array
    value: float
    all_weights: Array
    all_values: Array
    converged: NDArray[np.bool_]
    iterations: int


def mirror_ascent(
    value_and_gradient: ValueAndGradient,
    starts: ArrayLike,
    *,
    ranks: int | None = None,
    polytope: Polytope | None = None,
    iterations: int = 1000,
    tolerance: float = 1e-12,
) -> Ascent:
    """Maximise over a polytope of designs by exponentiated gradient steps from many starts at once.

    With w = Σ_b λ_b U_b for the corners of each block as the rows of U_b, the polytope is a product of plain simplices of λ.
    There the step of mirror ascent with the entropy as mirror map is λ_b ← λ_b·exp(η U_b∇f(w)) / Z_b: w stays ordered, or
    within its bounds, exactly, and no projection is needed. (The ordered simplex is one block, with the vertices
    u_k = (1/k, …, 1/k, 0, …); the box has a block of two corners for each rank, whose entropy is the binary one.) Each
    start has its own step size η, halved until the step gains at least a tenth of what the gradient promises (Armijo's
    rule), so that no start ever falls, and fitted to the curvature met after each success.

    A start where the objective is NaN counts as −inf and stays where it is.

    Args:
        value_and_gradient: the objective and its gradient in the weights, for `[starts, n]` weights; it is always asked for
            all starts, in their order.
        starts: `[starts, n]` weights to begin from; any zero coordinate is first moved inside by 10⁻⁴.
        ranks: m, how many ranks may carry weight on the ordered simplex; n without it.
        polytope: where to ascend, if not on that.
        iterations: most steps to take.
        tolerance: a start has converged when the linear model promises less than this times the scale of the values.

    Raises:
        AllpayError: if a start lies outside, or the objective is NaN at every start.

    References:
        Kivinen and Warmuth (1997), Exponentiated gradient versus gradient descent for linear predictors.
        Beck and Teboulle (2003), Mirror descent and nonlinear projected subgradient methods for convex optimization.
    """
    starts = np.atleast_2d(np.asarray(starts, float))
    n = starts.shape[1]
    where = _polytope(n, ranks, polytope)
    inside = (1 - 1e-4) * where.coordinates(starts) + 1e-4 / where.corners.shape[1]
    logs = np.log(inside)
    value, slope = _evaluate(value_and_gradient, inside, where)
    if not np.any(np.isfinite(value)):
        raise AllpayError(f"the objective is not defined at any of the {len(starts)} starts: give starts where it is")
    spread = np.ptp(slope, axis=2).max(axis=1)
    rate = 1.0 / np.where(spread > 0, spread, 1.0)
    done = ~np.isfinite(value)
    taken = 0
    for taken in range(1, iterations + 1):  # noqa: B007 (reported)
        lam = np.exp(logs)
        # what the linear model still promises (Frank and Wolfe)
        gap = (slope.max(axis=2) - np.sum(lam * slope, axis=2)).sum(axis=1)
        done |= (gap <= tolerance * np.maximum(np.abs(value), 1e-3)) | (rate * spread < 1e-12)
        if done.all():
            break
        tried_logs = _normalised(logs + rate[:, None, None] * (slope - slope.max(axis=2, keepdims=True)))
        tried = np.exp(tried_logs)
        tried_value, tried_slope = _evaluate(value_and_gradient, tried, where)
        moved, slope_before = tried_logs - logs, slope
        better = ~done & (tried_value >= value + 0.1 * np.sum(slope * (tried - lam), axis=(1, 2)))
        logs = np.where(better[:, None, None], tried_logs, logs)
        slope = np.where(better[:, None, None], tried_slope, slope)
        value = np.where(better, tried_value, value)
        spread = np.ptp(slope, axis=2).max(axis=1)
        rate = np.where(better, _next_rate(rate, lam, tried, moved, tried_slope - slope_before), 0.5 * rate)
        rate = np.minimum(
            rate, 1e4 / np.where(spread > 0, spread, 1.0)
        )  # a step that leaves one vertex is as good as any longer
    weights = where.weights(np.exp(logs))
    best = int(np.argmax(value))
    return Ascent(weights[best], float(value[best]), weights, value, done & np.isfinite(value), taken)


def polish(
    value_and_gradient: ValueAndGradient,
    start: ArrayLike,
    *,
    ranks: int | None = None,
    polytope: Polytope | None = None,
) -> tuple[Array, float]:
    """The maximum next to a design near it, in a few dozen evaluations, by sequential quadratic programming (Kraft 1988).

    For a smooth objective that is dear to evaluate: mirror ascent comes to the border of a polytope slowly.

    Args:
        value_and_gradient: the objective and its gradient in the weights, for `[points, n]` weights.
        start: `[n]` weights to begin from.
        ranks, polytope: where, as in `mirror_ascent`.

    Returns:
        Weights `[n]` and the objective there, which is never below that of the start.

    Raises:
        AllpayError: if the start lies outside.
    """
    from scipy.optimize import minimize

    start = np.asarray(start, float)
    whole = _polytope(len(start), ranks, polytope)
    where = thinned(whole, start)
    coordinates = where.coordinates(start)
    blocks, corners = coordinates.shape
    best, most = start, float(np.asarray(value_and_gradient(start[None])[0])[0])
    scale = abs(most) if np.isfinite(most) and most != 0 else 1.0

    def fall(flat: Array) -> tuple[float, Array]:
        nonlocal best, most
        lam = np.maximum(flat.reshape(blocks, corners), 0.0)
        lam /= lam.sum(axis=1, keepdims=True)
        value, slope = _evaluate(value_and_gradient, lam[None], where)
        if value[0] > most:
            best, most = where.weights(lam), float(value[0])
        return (-float(value[0]) / scale, -slope[0].ravel() / scale) if np.isfinite(value[0]) else (np.inf, 0 * flat)

    sums = np.kron(np.eye(blocks), np.ones(corners))
    minimize(
        fall,
        coordinates.ravel(),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * coordinates.size,
        constraints=[{"type": "eq", "fun": lambda flat: sums @ flat - 1, "jac": lambda flat: sums}],
        options={"ftol": 1e-12, "maxiter": 200},
    )
    return best, most


@dataclass(frozen=True, eq=False)
class _Hull:
    """The designs between a few corners and one design, which comes last.

    Attributes:
        corners: `[1, corners, n]`.
    """

    corners: Array

    def coordinates(self, weights: ArrayLike) -> Array:
        return np.eye(self.corners.shape[1])[None, -1]

    def weights(self, coordinates: ArrayLike) -> Array:
        return np.asarray(coordinates, float)[..., 0, :] @ self.corners[0]


def thinned(where: Polytope, start: Array, many: int = MANY) -> "Polytope | _Hull":
    """Where to look beside a design: of more than so many corners between few and it, if that can be told."""
    few = few_corners(where) if where.corners.shape[1] > many else None
    return where if few is None else _Hull(np.concatenate([few, start[None]])[None])


def few_corners(where: Polytope) -> Array | None:
    """`[corners, n]` those of weights in order that are enough in games of many bidders; None of another polytope.

    Of a bidder who beats each rival with probability q the rank scatters by √(k (1 − k/n)) about its mean k. So what two prizes
    of ranks much closer than that do apart can be done by one for both, and corners as far apart as that are enough.
    """
    if not isinstance(where, OrderedSimplex | Bounded):
        return None
    kept, n = [1], where.n
    while kept[-1] < where.ranks:
        step = APART * np.sqrt(kept[-1] * (1 - kept[-1] / n))
        kept.append(min(kept[-1] + max(int(step), 1), where.ranks))
    if isinstance(where, Bounded):  # below a floor the weights of all corners fall
        kept += (np.flatnonzero(np.diff(where.floors, append=0.0)) + 1).tolist()
    every = where.corners[0]
    falls = (
        -np.diff(every, axis=1, append=0.0) > FALL
    )  # a corner of the simplex falls at one rank, one on an edge at two
    falls[:, np.array(kept) - 1] = False
    return np.asarray(every[~falls.any(axis=1)])


def _polytope(n: int, ranks: int | None, polytope: Polytope | None) -> Polytope:
    return OrderedSimplex(n, n if ranks is None else ranks) if polytope is None else polytope


def _next_rate(rate: Array, old: Array, new: Array, moved: Array, bent: Array) -> Array:
    """The step size `[starts]` that fits the curvature met on the last step, in the metric of the entropy.

    Barzilai and Borwein's (1988) ⟨Δ log λ, Δλ⟩ / −⟨Δ∇f, Δλ⟩, at most fivefold more or less than the last one.
    """
    curvature = -np.sum(bent * (new - old), axis=(1, 2))
    fitted = np.sum(moved * (new - old), axis=(1, 2)) / np.where(curvature > 0, curvature, 1.0)
    return np.clip(np.where(curvature > 0, fitted, np.inf), rate / 5, rate * 5)


def _normalised(logs: Array) -> Array:
    """Logarithms of coordinates, shifted so that the coordinates of each block sum to 1."""
    logs = np.maximum(logs - logs.max(axis=2, keepdims=True), FLOOR)
    return logs - np.log(np.sum(np.exp(logs), axis=2, keepdims=True))


def _evaluate(value_and_gradient: ValueAndGradient, lam: Array, where: "Polytope | _Hull") -> tuple[Array, Array]:
    """The objective `[starts]`, −inf where undefined, and its gradient in λ `[starts, blocks, corners]`, 0 there."""
    value, gradient = (np.asarray(a, float) for a in value_and_gradient(where.weights(lam)))
    u = where.corners
    slope = (gradient @ u.reshape(-1, u.shape[2]).T).reshape(lam.shape)  # ∇_λ f = U ∇_w f
    defined = np.isfinite(value) & np.all(np.isfinite(slope), axis=(1, 2))
    return np.where(defined, value, -np.inf), np.where(defined[:, None, None], slope, 0.0)
