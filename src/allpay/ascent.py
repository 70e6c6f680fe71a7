"""Mirror ascent on the ordered simplex of `simplex`, in which designs lie.

What is ascended is given as a function of the weights; this file knows no network, no game and no theory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError
from allpay.simplex import from_vertices, to_vertices, vertices

Array = NDArray[np.float64]
ValueAndGradient = Callable[[Array], tuple[ArrayLike, ArrayLike]]
"""Weights `[points, n]` to the objective `[points]` and its gradient in the weights `[points, n]`."""

FLOOR = -60.0
"""The lowest logarithm of a coordinate: e^−60 is 0 to every purpose, and the ascent can still come back from it."""


@dataclass(frozen=True)
class Ascent:
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
    iterations: int = 1000,
    tolerance: float = 1e-12,
) -> Ascent:
    """Maximise over the ordered simplex by exponentiated gradient steps from many starts at once.

    With w = λ·U for the vertices u_k = (1/k, …, 1/k, 0, …) as the rows of U, the ordered simplex is the plain simplex of λ.
    There the step of mirror ascent with the entropy as mirror map is λ ← λ·exp(η U∇f(w)) / Z: w stays ordered exactly, and
    no projection is needed. Each start has its own step size η, halved until the step gains at least a tenth of what
    the gradient promises (Armijo's rule), so that no start ever falls, and fitted to the curvature met after each success.

    A start where the objective is NaN counts as −inf and stays where it is.

    Args:
        value_and_gradient: the objective and its gradient in the weights, for `[starts, n]` weights.
        starts: `[starts, n]` weights to begin from; any zero coordinate is first moved inside by 10⁻⁴.
        ranks: m, how many ranks may carry weight; n without it.
        iterations: most steps to take.
        tolerance: a start has converged when the linear model promises less than this times the scale of the values.

    Raises:
        AllpayError: if a start is not on the ordered simplex, or the objective is NaN at every start.

    References:
        Kivinen and Warmuth (1997), Exponentiated gradient versus gradient descent for linear predictors.
        Beck and Teboulle (2003), Mirror descent and nonlinear projected subgradient methods for convex optimization.
    """
    starts = np.atleast_2d(np.asarray(starts, float))
    n = starts.shape[1]
    m = n if ranks is None else ranks
    u = vertices(n, m)
    inside = (1 - 1e-4) * to_vertices(starts, m) + 1e-4 / m
    logs = np.log(inside)
    value, slope = _evaluate(value_and_gradient, inside @ u, u)
    if not np.any(np.isfinite(value)):
        raise AllpayError(f"the objective is not defined at any of the {len(starts)} starts: give starts where it is")
    spread = np.ptp(slope, axis=1)
    rate = 1.0 / np.where(spread > 0, spread, 1.0)
    done = ~np.isfinite(value)
    taken = 0
    for taken in range(1, iterations + 1):  # noqa: B007 (reported)
        lam = np.exp(logs)
        gap = slope.max(axis=1) - np.sum(lam * slope, axis=1)  # what the linear model still promises (Frank and Wolfe)
        done |= (gap <= tolerance * np.maximum(np.abs(value), 1e-3)) | (rate * spread < 1e-12)
        if done.all():
            break
        tried_logs = _normalised(logs + rate[:, None] * (slope - slope.max(axis=1, keepdims=True)))
        tried = np.exp(tried_logs)
        tried_value, tried_slope = _evaluate(value_and_gradient, tried @ u, u)
        moved, slope_before = tried_logs - logs, slope
        better = ~done & (tried_value >= value + 0.1 * np.sum(slope * (tried - lam), axis=1))
        logs = np.where(better[:, None], tried_logs, logs)
        slope = np.where(better[:, None], tried_slope, slope)
        value = np.where(better, tried_value, value)
        spread = np.ptp(slope, axis=1)
        rate = np.where(better, _next_rate(rate, lam, tried, moved, tried_slope - slope_before), 0.5 * rate)
        rate = np.minimum(
            rate, 1e4 / np.where(spread > 0, spread, 1.0)
        )  # a step that leaves one vertex is as good as any longer
    weights = from_vertices(np.exp(logs), n)
    best = int(np.argmax(value))
    return Ascent(weights[best], float(value[best]), weights, value, done & np.isfinite(value), taken)


def polish(value_and_gradient: ValueAndGradient, start: ArrayLike, ranks: int | None = None) -> tuple[Array, float]:
    """The maximum next to a design near it, in a few dozen evaluations, by sequential quadratic programming (Kraft 1988).

    For a smooth objective that is dear to evaluate: mirror ascent comes to the border of the simplex slowly.

    Args:
        value_and_gradient: the objective and its gradient in the weights, for `[points, n]` weights.
        start: `[n]` weights to begin from.
        ranks: m, how many ranks may carry weight; n without it.

    Returns:
        Weights `[n]` and the objective there, which is never below that of the start.

    Raises:
        AllpayError: if the start is not on the ordered simplex.
    """
    from scipy.optimize import minimize

    start = np.asarray(start, float)
    n = len(start)
    u = vertices(n, n if ranks is None else ranks)
    coordinates = to_vertices(start, len(u))
    best, most = start, float(np.asarray(value_and_gradient(start[None])[0])[0])
    scale = abs(most) if np.isfinite(most) and most != 0 else 1.0

    def fall(lam: Array) -> tuple[float, Array]:
        nonlocal best, most
        inside = np.maximum(lam, 0.0)
        weights = from_vertices(inside / inside.sum(), n)
        value, slope = _evaluate(value_and_gradient, weights[None], u)
        if value[0] > most:
            best, most = weights, float(value[0])
        return (-float(value[0]) / scale, -slope[0] / scale) if np.isfinite(value[0]) else (np.inf, np.zeros(len(u)))

    sums_to_1 = {"type": "eq", "fun": lambda lam: lam.sum() - 1, "jac": np.ones_like}
    minimize(
        fall,
        coordinates,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(u),
        constraints=[sums_to_1],
        options={"ftol": 1e-12, "maxiter": 200},
    )
    return best, most


def _next_rate(rate: Array, old: Array, new: Array, moved: Array, bent: Array) -> Array:
    """The step size `[starts]` that fits the curvature met on the last step, in the metric of the entropy.

    Barzilai and Borwein's (1988) ⟨Δ log λ, Δλ⟩ / −⟨Δ∇f, Δλ⟩, at most fivefold more or less than the last one.
    """
    curvature = -np.sum(bent * (new - old), axis=1)
    fitted = np.sum(moved * (new - old), axis=1) / np.where(curvature > 0, curvature, 1.0)
    return np.clip(np.where(curvature > 0, fitted, np.inf), rate / 5, rate * 5)


def _normalised(logs: Array) -> Array:
    """Logarithms of coordinates, shifted so that the coordinates sum to 1."""
    logs = np.maximum(logs - logs.max(axis=1, keepdims=True), FLOOR)
    return logs - np.log(np.sum(np.exp(logs), axis=1, keepdims=True))


def _evaluate(value_and_gradient: ValueAndGradient, weights: Array, u: Array) -> tuple[Array, Array]:
    """The objective `[starts]`, −inf where undefined, and its gradient in λ `[starts, m]`, 0 there: ∇_λ f = U ∇_w f."""
    value, gradient = (np.asarray(a, float) for a in value_and_gradient(weights))
    slope = gradient @ u.T
    defined = np.isfinite(value) & np.all(np.isfinite(slope), axis=1)
    return np.where(defined, value, -np.inf), np.where(defined[:, None], slope, 0.0)
