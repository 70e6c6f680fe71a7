"""Concave functions that are sums of curves of linear functions: where they are highest on a product of simplices, and how far
one may go before they fall too low.

Newton's method inside a barrier, which knows how badly such a function is conditioned. No game and no theory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError

Array = NDArray[np.float64]

STEPS = 100
"""After so many steps a search is given up; it takes 15 to 30."""

ENOUGH = 1e-13
"""A search for the highest value ends when none can be further above than this part of it."""

AS_GOOD = 1e-11
"""The same, where rounding lets a search come no nearer."""

FAR_ENOUGH = 1e-9
"""A search for the furthest design ends within this part of the way from the nearest to the furthest corner."""

CENTRED = 0.1
"""By this factor a step lowers the gap that is left, as far as it is a straight way."""

BACK = 0.99
"""No step goes further than this part of the way to a border."""

TINY = 1e-280
"""What is smaller is 0 to every purpose."""

NOTHING = 1e-140
"""What is smaller has squares below the smallest numbers, which processors multiply a hundred times more slowly."""


@dataclass(frozen=True, eq=False)
class Concave:
    """Σ_i counted_i b(c_i) + linear·w, with c = rows·(w_k − w_{k+1}), a concave function of weights w.

    Called with weights `[..., n]` it gives values `[...]` and gradients `[..., n]`, both NaN where c_i falls with i.

    Attributes:
        rows: `[terms, n]`, what each c_i gains where a weight is above the next; of the last weight, what itself counts.
        counted: `[terms]`, all ≥ 0 if the curve is concave, or all ≤ 0 if it is convex.
        curve: from c ≥ 0, any shape, to b, b′ and c²·b″; where c is 0 they are 0 if they have no bound.
        linear: `[n]`.
        falls: the part of the largest c_i by which one may be below the one before: rounding.
    """

    rows: Array
    counted: Array
    curve: Callable[[Array], tuple[Array, Array, Array]]
    linear: Array
    falls: float

    def __call__(self, weights: ArrayLike) -> tuple[Array, Array]:
        w = checked(weights, len(self.linear))
        found = [self._at(row) for row in w.reshape(-1, w.shape[-1])]  # one by one, so that others change no bit of it
        return np.array([value for value, _ in found]).reshape(w.shape[:-1]), np.array(
            [slope for _, slope in found]
        ).reshape(w.shape)

    def _at(self, w: Array) -> tuple[float, Array]:
        c = self.rows @ drops(w)
        if np.min(np.diff(c, prepend=0.0)) < -self.falls * np.max(c):
            return np.nan, np.full(len(w), np.nan)
        b, slope, _ = self.curve(np.maximum(c, 0.0))
        return float(self.counted @ b + self.linear @ w), by_weights((self.counted * slope) @ self.rows) + self.linear


def checked(weights: ArrayLike, n: int) -> Array:
    """Weights `[..., n]` as an array.

    Raises:
        AllpayError: if they are not n finite numbers ≥ 0.
    """
    w = np.asarray(weights, float)
    if w.ndim == 0 or w.shape[-1] != n or not (np.all(np.isfinite(w)) and np.all(w >= 0)):
        raise AllpayError(f"weights must be {n} finite numbers ≥ 0, one per rank: got {w.tolist()}")
    return w


def drops(w: Array) -> Array:
    """`[..., n]` by how much each weight is above the next; the last above 0."""
    return -np.diff(w, axis=-1, append=0.0)


def by_weights(by_drops: Array) -> Array:
    """Derivatives `[..., n]` in these as those in the weights."""
    return np.asarray(np.diff(by_drops, axis=-1, prepend=0.0))


def highest(function: Concave, corners: Array, start: Array) -> tuple[Array, bool]:
    """The coordinates at which a concave function is highest.

    Args:
        function: of weights `[n]`, which are Σ_b λ_b · corners_b.
        corners: `[blocks, corners, n]`.
        start: `[blocks, corners]` coordinates λ, each block of sum 1; the search begins between them and the middle.

    Returns:
        Coordinates `[blocks, corners]`, and whether it is shown that none is higher.
    """
    problem = _Problem.of(function, corners.reshape(-1, corners.shape[-1]))
    blocks = np.kron(np.eye(len(corners)), np.ones(corners.shape[1])).astype(float)
    found, gap = _search(problem, blocks, _inside(start, 0.5).ravel(), ENOUGH)
    return found.reshape(start.shape), gap <= AS_GOOD


def furthest(function: Concave, corners: Array, start: Array, towards: Array, level: float) -> Array | None:
    """The coordinates at which a linear function is highest among those at which a concave one is at least `level`.

    Args:
        function: as in `highest`.
        corners: `[corners, n]`.
        start: `[corners]` coordinates at which the concave function is above the level.
        towards: `[corners]` the linear function at each corner.
        level: what the concave function must not fall below, but for rounding.

    Returns:
        Coordinates `[corners]`; None where the search did not end.
    """
    spread = float(np.ptp(towards))
    problem = _Problem.of(function, corners, (towards.max() - towards) / (spread or 1.0), level)
    found, gap = _search(problem, np.ones((1, len(start))), _inside(start[None], 0.5)[0], FAR_ENOUGH)
    return found if gap <= FAR_ENOUGH else None


# The search -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _At:
    """What there is at some coordinates.

    Attributes:
        c: `[terms]`.
        pull: `[terms]` |counted| b′, what one unit of c brings or takes.
        bend: `[terms]` how its logarithm moves with that of c: c b″/b′.
        slope: `[k]` of f.
        room: how far f is above the level.
    """

    c: Array
    pull: Array
    bend: Array
    slope: Array
    room: float


@dataclass(frozen=True, eq=False)
class _Problem:
    """To minimise aim·λ − f(λ), or aim·λ where f(λ) ≥ level; f in units of its size.

    Attributes:
        function: f.
        rows: `[terms, k]` c at each corner, of terms that count.
        size: `[terms]` how much they count, over the unit.
        sign: 1, or −1 where they all count below 0.
        linear: `[k]` the linear part of f at each corner, over the unit.
        aim: `[k]`.
        level: over the unit; None where f itself is to be high.
    """

    function: Concave
    rows: Array
    size: Array
    sign: float
    linear: Array
    aim: Array
    level: float | None

    @classmethod
    def of(cls, function: Concave, corners: Array, aim: Array | None = None, level: float | None = None) -> "_Problem":
        rows = function.rows @ drops(corners).T
        matters = (function.counted != 0) & (rows.max(axis=1) > TINY)
        rows, counted, linear = rows[matters], function.counted[matters], corners @ function.linear
        unit = abs(float(function.curve(rows.mean(axis=1))[0] @ counted + linear.mean())) or 1.0
        return cls(
            function,
            np.where(rows > NOTHING * rows.max(axis=1, keepdims=True), rows, 0.0),
            np.abs(counted) / unit,
            -1.0 if counted.sum() < 0 else 1.0,
            linear / unit,
            np.zeros(len(corners)) if aim is None else aim,
            None if level is None else level / unit,
        )

    def at(self, x: Array) -> _At:
        c = self.rows @ x
        b, slope, bent = self.function.curve(c)
        positive = (slope > 0) & (c > TINY)
        bend = np.where(positive, bent / np.where(positive, slope * c, 1.0), 0.0)
        pull = self.size * slope
        value = self.sign * float(self.size @ b) + float(self.linear @ x)
        gradient = self.sign * (pull @ self.rows) + self.linear
        return _At(c, pull, bend, gradient, np.inf if self.level is None else value - self.level)


def _search(problem: _Problem, blocks: Array, x: Array, enough: float) -> tuple[Array, float]:
    """The best coordinates λ ≥ 0 with blocks·λ = 1, and a bound on how much better others may be.

    With y_i for the pull of each term, z ≥ 0 for the multipliers of λ ≥ 0, ν for those of the sums, and u for that of the bound
    on f, which is 1 where f itself is to be high, the conditions are

        aim − u·linear − sign·rowsᵀ y − z + blocksᵀ ν = 0,   log y_i = log(u·pull_i(λ)),   z_j λ_j = μ,
        f(λ) − level = t,   u·t = μ,

    and are followed by Newton's steps from a large μ to one of next to nothing. As y is sought beside λ, all but the logarithms
    and products are straight: where pulls are powers of c, steps can be long.

    References:
        Wright (1997), Primal–dual interior-point methods; Dahl and Andersen (2022), A primal–dual interior-point algorithm for
        nonsymmetric exponential-cone optimization.
    """
    k, m = len(x), len(blocks)
    bounded = problem.level is not None
    u, here = 1.0, problem.at(x)
    y = np.maximum(here.pull, TINY)
    reduced = problem.aim - here.slope  # z less what is added to it by ν
    most = np.where(blocks > 0, -reduced, -np.inf).max(axis=1)
    nu = most + 0.1 * (np.ptp(reduced) or 1.0)
    z = reduced + blocks.T @ nu
    t = max(here.room, 0.1) if bounded else 1.0
    best, least = x, np.inf
    for _ in range(STEPS):
        gap = _gap(problem, blocks, x, u, here)
        if gap < least:
            best, least = x, gap
        if least <= enough:
            break
        mu = CENTRED * (float(z @ x) + u * t * bounded) / (k + bounded)
        off = np.log(y) - np.log(np.maximum(u * here.pull, TINY))
        # by the logarithm of c, since 1/c² may be above all numbers
        relative = problem.rows / np.maximum(here.c, TINY)[:, None]
        root = relative * np.sqrt(np.maximum(-problem.sign * here.bend * y * here.c, 0.0))[:, None]
        root[root < NOTHING] = 0.0
        system = np.zeros((k + m + bounded, k + m + bounded))
        system[:k, :k] = root.T @ root
        system[np.arange(k), np.arange(k)] += z / x
        system[:k, k : k + m], system[k : k + m, :k] = blocks.T, blocks
        left = problem.aim - u * problem.linear - problem.sign * ((y * (1 - off)) @ problem.rows) - mu / x
        right = [-(left + blocks.T @ nu), 1 - blocks @ x]
        if bounded:
            system[:k, -1] = -problem.linear - problem.sign * (y / u) @ problem.rows
            system[-1, :k], system[-1, -1] = u * here.slope, t
            right.append(np.array([mu - u * here.room]))
        try:
            step = np.linalg.solve(system, np.concatenate(right))
        except np.linalg.LinAlgError:
            break
        dx, dnu, du = step[:k], step[k : k + m], float(step[-1]) if bounded else 0.0
        dy = y * (-off + du / u + here.bend * (relative @ dx))
        dz = mu / x - z - z * dx / x
        falling = max(float(np.max(-change / size, initial=0.0)) for change, size in ((dx, x), (dz, z), (dy, y)))
        dt = float(here.slope @ dx) + here.room - t if bounded else 0.0
        length = min(1.0, BACK / max(falling, -du / u, -dt / t, TINY))
        u, y, z, nu, t = u + length * du, y + length * dy, z + length * dz, nu + length * dnu, t + length * dt
        x = x + length * dx
        here = problem.at(x)
    return best, least


def _gap(problem: _Problem, blocks: Array, x: Array, u: float, at: _At) -> float:
    """By how much others may be better: f lies below its tangent, whose best is at a corner of each block."""
    slope = problem.aim - u * at.slope
    worst = float(slope @ x) - float(np.where(blocks > 0, slope, np.inf).min(axis=1).sum())
    return worst if problem.level is None else worst + u * at.room if at.room > -FAR_ENOUGH else np.inf


def _inside(start: Array, part: float) -> Array:
    """Coordinates `[blocks, corners]` a part of the way from some to the middle."""
    return (1 - part) * start + part / start.shape[-1]
