"""Where designs lie: the ordered simplex {w_1 ≥ … ≥ w_m ≥ 0, Σw = 1}, whole or cut, and the box; their corners, coordinates,
and points spread over them.

Both are polytopes: every design is an average of corners. Coordinates λ say how much of each, `[..., blocks, corners]`, and
sum to 1 in each block. The ordered simplex is one block; the box has a block of two corners for each rank.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, combinations
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError, exactly, one_of, short
from allpay.frozen import Stateful
from allpay.memory import check_memory
from allpay.scalars import plain_fields, real, written

Array = NDArray[np.float64]

SAMPLINGS = ("uniform", "sobol", "grid")
"""How designs can be spread: at random, by scrambled Sobol points, or the averages of so many corners."""

MOST_SOBOL = 21_201
"""So many numbers a Sobol point can have (Joe & Kuo 2008)."""

LOOKED_AT = 2000
"""About as many designs as are held as coordinates on the corners at once."""

TOLERANCE = 1e-6
"""How far a design may lie outside its polytope by rounding."""


SHOWN = 1e-6
"""A weight below this is shown as 0."""


FEW_ZEROS = 4
"""Up to so many zeros at the end of a row of weights are written out."""


def shown(weights: ArrayLike, digits: int = 3) -> str:
    """Weights as people read them; a long row of zeros at the end is cut short.

    >>> shown([0.8, 0.2, 0.0]), shown([0.75, 0.25] + [0.0] * 8), shown([0.9992, 0.0004, 0.0004])
    ('(0.8, 0.2, 0)', '(0.75, 0.25, 0, …, 0)', '(0.999, <0.001, <0.001)')
    """
    least = 10.0**-digits
    numbers = [
        f"{x:.{digits}g}" if x >= 0.5 * least else f"<{least:g}" if x > SHOWN else "0"
        for x in np.asarray(weights, float)
    ]
    carrying = len(numbers)
    while carrying > 0 and numbers[carrying - 1] == "0":
        carrying -= 1
    if len(numbers) - carrying > FEW_ZEROS:
        numbers = [*numbers[:carrying], "0", "…", "0"]
    return "(" + ", ".join(numbers) + ")"


# The whole ordered simplex --------------------------------------------------------------------------------------------


def vertices(n: int, m: int) -> Array:
    """`[m, n]` the corners of the ordered simplex: row k is (1/k, …, 1/k, 0, …)."""
    _check_ranks(n, m)
    return np.tril(np.ones((m, n))) / np.arange(1, m + 1)[:, None]


def to_vertices(weights: ArrayLike, m: int | None = None) -> Array:
    """Coordinates λ on the simplex, `[..., m]`, with weights = λ·U: λ_k = k (w_k − w_{k+1}).

    Raises:
        AllpayError: if the weights `[..., n]` increase, are negative, do not sum to 1, or lie on more than m ranks.
    """
    w = np.asarray(weights, float)
    n = w.shape[-1]
    m = n if m is None else m
    _check_ranks(n, m)
    lam = np.arange(1, n + 1) * -np.diff(w, axis=-1, append=0.0)
    off = np.abs(w.sum(-1) - 1)
    if not (np.all(lam >= -TOLERANCE) and np.all(np.abs(lam[..., m:]) <= TOLERANCE) and np.all(off <= TOLERANCE)):
        raise AllpayError(
            f"weights must be nonincreasing, ≥ 0, of sum 1 and 0 after the first {m} ranks: got {w.tolist()}"
        )
    lam = np.maximum(lam[..., :m], 0.0)
    return lam / lam.sum(axis=-1, keepdims=True)


def from_vertices(coordinates: ArrayLike, n: int) -> Array:
    """The weights `[..., n]` of coordinates λ `[..., m]` on the simplex; nonincreasing without a rounding error."""
    lam = np.asarray(coordinates, float)
    m = lam.shape[-1]
    _check_ranks(n, m)
    weights = np.zeros((*lam.shape[:-1], n))
    # summed from the last rank up, each weight is the next one plus a number ≥ 0
    weights[..., :m] = np.cumsum((lam / np.arange(1, m + 1))[..., ::-1], axis=-1)[..., ::-1]
    return weights


def sample_ordered_simplex(count: int, n: int, m: int, rng: np.random.Generator) -> Array:
    """`[count, n]` weights uniform on the ordered simplex of the first m ranks: a flat Dirichlet draw, sorted.

    For n = 3 and m = 2 the first weight is uniform on [½, 1].

    Raises:
        AllpayError: if m is not in 1 … n.
    """
    _check_ranks(n, m)
    weights = np.zeros((count, n))
    weights[:, :m] = np.sort(rng.dirichlet(np.ones(m), size=count), axis=1)[:, ::-1]
    return weights


def from_sticks(lengths: ArrayLike) -> Array:
    """Coordinates λ `[..., k]` on a simplex, from numbers in [0, 1], `[..., k − 1]`: uniform ones give uniform ones.

    A stick of length 1 is broken again and again: λ_j is the part 1 − (1 − u_j)^{1/(k−j)} of what is left (Fang & Wang 1994,
    Number-theoretic methods in statistics, section 1.5, in other coordinates).
    """
    u = np.asarray(lengths, float)
    k = u.shape[-1] + 1
    kept = np.cumprod((1.0 - u) ** (1.0 / np.arange(k - 1, 0, -1)), axis=-1)
    edges = np.concatenate([np.ones((*u.shape[:-1], 1)), kept, np.zeros((*u.shape[:-1], 1))], axis=-1)
    return edges[..., :-1] - edges[..., 1:]


def to_sticks(coordinates: ArrayLike) -> Array:
    """The numbers in [0, 1] that `from_sticks` makes coordinates `[..., k]` of; 0 where nothing is left to break."""
    lam = np.asarray(coordinates, float)
    k = lam.shape[-1]
    left = np.cumsum(lam[..., ::-1], axis=-1)[..., ::-1]  # what is left before each piece
    whole = np.where(left[..., :-1] > 0, left[..., :-1], 1.0)
    part = np.where(left[..., :-1] > 0, np.minimum(left[..., 1:] / whole, 1.0), 1.0)
    return 1.0 - part ** np.arange(k - 1, 0, -1)


def _check_ranks(n: int, m: int) -> None:
    if not 1 <= m <= n:
        raise AllpayError(too_many_ranks(m, n, 1))


def too_many_ranks(m: int, n: int, least: int) -> str:
    """Why m of n ranks cannot carry weight, at least so many of which must."""
    if m < least == n:
        return f"all {n:,} ranks must be allowed to carry weight: got {short(m)}"
    text = f"between {least} and {n:,} ranks of {n:,} can carry weight: got {short(m)}"
    if m == 1 < least:
        return f"{text}, which leaves nothing to choose: all goes to the first"
    return f"{text}, which need {short(m)} bidders or more" if m > n else text


def _check_corners(corners: int, ranks: int, n: int) -> None:
    """Raise AllpayError if so many corners, and designs as coordinates on them, take more memory than there may be."""
    check_memory(
        8 * corners * (3 * n + LOOKED_AT),
        f"the {corners:,} corners of designs of {ranks:,} ranks (prizes) for {n:,} bidders",
        "give fewer ranks, or no bounds on the weights",
    )


# Polytopes ------------------------------------------------------------------------------------------------------------


class Polytope(Protocol):
    """A set of designs: all averages of its corners, block by block."""

    @property
    def corners(self) -> Array:
        """`[blocks, corners, n]`: a design is Σ_b λ_b · corners_b."""
        ...

    @property
    def ranks(self) -> int:
        """m, how many of the n ranks may carry weight: the first."""
        ...

    @property
    def freedom(self) -> int:
        """How many dimensions it has."""
        ...

    @property
    def cube(self) -> int | None:
        """How many numbers in [0, 1] `from_cube` takes for a design; None if it is not for such designs."""
        ...

    def coordinates(self, weights: ArrayLike) -> Array:
        """Coordinates λ `[..., blocks, corners]` of weights `[..., n]`; where there are many, any of them.

        Raises:
            AllpayError: if the weights lie outside.
        """
        ...

    def weights(self, coordinates: ArrayLike) -> Array:
        """The weights `[..., n]` of coordinates λ; in order, and within their bounds, without a rounding error."""
        ...

    def from_cube(self, points: ArrayLike) -> Array:
        """The weights `[..., n]` of points of the cube, `[..., cube]`: uniform points give uniform weights."""
        ...

    def uniform(self, count: int, rng: np.random.Generator) -> Array:
        """`[count, n]` weights, uniform; a longer sample begins with the shorter one."""
        ...


@dataclass(frozen=True)
class OrderedSimplex(Stateful):
    """Nonincreasing weights of sum 1 on the first m of n ranks, the last of them at least so much, and the first bounded.

    A bound on w_1 cuts the simplex in two. The part that is kept is a polytope: its corners are those of the simplex that
    keep to the bound, and the points where an edge from one that does to one that does not meets it.

    The kept part falls into simplices. Take a corner v that breaks the bound, a corner s that keeps to it, and the point e
    between them that meets it; the plane through e and all other corners halves the simplex: in one half e stands for v, in
    the other for s. One of the two is left behind with each halving, so that after fewer than m of them none breaks the bound,
    or none keeps to it. Halves have the shares of the edge as their shares of the volume, so what is kept of a simplex
    with i corners on one side and j on the other is V(i, j) = p V(i − 1, j) + (1 − p) V(i, j − 1): de Boor's recursion for
    splines, whose knots are the first weights of the corners (Curry & Schoenberg 1966). A uniform point is found by going
    down it with the right chances. Nothing is drawn that is not used.

    Attributes:
        n: how many ranks there are.
        m: how many of them may carry weight.
        first_at_most, first_at_least: bounds on w_1, one at most.
        last_at_least: the least that w_m can be.

    Raises:
        AllpayError: if the bounds leave no design, or only one.
    """

    n: int
    m: int
    first_at_most: float | None = None
    first_at_least: float | None = None
    last_at_least: float = 0.0
    _cut: "_Cut | None" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain_fields(self)
        _check_ranks(self.n, self.m)
        if self.first_at_most is not None and self.first_at_least is not None:
            raise AllpayError(
                f"the first weight can have one bound: got at least {self.first_at_least:g} and at most "
                f"{self.first_at_most:g}; leave one of them out"
            )
        if not 0 <= self.last_at_least < 1 / self.m:
            raise AllpayError(
                f"{self.m} weights of sum 1 have a last one below 1/{self.m}: got at least {self.last_at_least:g}"
            )
        first = self.last_at_least + (1 - self.m * self.last_at_least) / np.arange(1, self.m + 1)
        cut = None
        for bound, sign, words in ((self.first_at_most, 1.0, "at most"), (self.first_at_least, -1.0, "at least")):
            if bound is None:
                continue
            low, high = float(first[-1]), float(first[0])
            if not (bound > low if sign > 0 else bound < high) or not math.isfinite(bound):
                side = f"above {low:.4g}" if sign > 0 else f"below {high:.4g}"
                more = (
                    f"; {self.m} of {self.n} ranks may carry weight, let more" if sign > 0 and self.m < self.n else ""
                )
                raise AllpayError(f"the first weight of any design lies {side}: got {words} {bound:g}{more}")
            if np.any(sign * (first - bound) > 0):
                below = int(np.sum(sign * (first - bound) < 0))
                _check_corners(below + below * (self.m - below), self.m, self.n)
                cut = _Cut(sign * first, sign * bound)
                if cut.volume[-1, -1] == 0:
                    raise AllpayError(f"hardly any design has a first weight {words} {bound:g}: give another bound")
        object.__setattr__(self, "_cut", cut)

    @property
    def ranks(self) -> int:
        return self.m

    @property
    def freedom(self) -> int:
        return self.m - 1

    @property
    def cube(self) -> int:
        return (self.m - 1) * (1 if self._cut is None else 2)

    @cached_property
    def corners(self) -> Array:
        if self._cut is None:
            _check_corners(self.m, self.m, self.n)
        alone = np.eye(self.m) if self._cut is None else self._cut.corners
        return self._from_simplex(alone)[None]

    def coordinates(self, weights: ArrayLike) -> Array:
        w = np.asarray(weights, float)
        if self.last_at_least > 0:
            if w.shape[-1] == self.n and np.any(w[..., self.m - 1] < self.last_at_least - TOLERANCE):
                raise AllpayError(f"weight {self.m} must be at least {self.last_at_least:g}: got {w.tolist()}")
            w = np.concatenate([w[..., : self.m] - self.last_at_least, w[..., self.m :]], axis=-1)
            w = np.where(np.abs(w) < TOLERANCE, np.maximum(w, 0.0), w) / (1 - self.m * self.last_at_least)
        lam = to_vertices(w, self.m)
        if self._cut is not None:
            lam, over = self._cut.coordinates(lam)
            if np.any(over > TOLERANCE):
                bound = f"at most {self.first_at_most:g}" if self.first_at_most is not None else None
                bound = bound or f"at least {self.first_at_least:g}"
                raise AllpayError(f"the first weight must be {bound}: got {np.asarray(weights).tolist()}")
        return lam[..., None, :]

    def weights(self, coordinates: ArrayLike) -> Array:
        lam = np.asarray(coordinates, float)[..., 0, :]
        return self._from_simplex(lam if self._cut is None else lam @ self._cut.corners)

    def from_cube(self, points: ArrayLike) -> Array:
        u = np.asarray(points, float)
        lam = from_sticks(u[..., -(self.m - 1) :] if self.m > 1 else u[..., :0])
        if self._cut is not None:
            lam = self._cut.spread(u[..., : self.m - 1], lam) @ self._cut.corners
        return self._from_simplex(lam)

    def uniform(self, count: int, rng: np.random.Generator) -> Array:
        if self._cut is not None:
            return self.from_cube(rng.random((count, self.cube)))
        drawn = sample_ordered_simplex(count, self.n, self.m, rng)
        return drawn if self.last_at_least == 0 else self._raised(drawn)

    def _from_simplex(self, lam: Array) -> Array:
        whole = from_vertices(lam, self.n)
        return whole if self.last_at_least == 0 else self._raised(whole)

    def _raised(self, whole: Array) -> Array:
        """Designs of the whole simplex, drawn together so that each of the m weights is at least what the last must be."""
        carrying = np.arange(self.n) < self.m
        return np.where(carrying, self.last_at_least + (1 - self.m * self.last_at_least) * whole, 0.0)


@dataclass(frozen=True)
class Box(Stateful):
    """Weights of the first m of n ranks, each anywhere between its bounds; 0 on the others.

    Attributes:
        n: how many ranks there are.
        low, high: `[m]` the bounds.
    """

    n: int
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        plain_fields(self)
        for bounds in ("low", "high"):
            given = getattr(self, bounds)
            if not isinstance(given, (tuple, list, np.ndarray)) or getattr(given, "ndim", 1) != 1:
                raise AllpayError(f"{bounds} must be several numbers, one for each rank: got {short(given)}")
            object.__setattr__(self, bounds, tuple(real(f"a {bounds} bound", x) for x in given))
        if not 1 <= len(self.low) == len(self.high) <= self.n:
            raise AllpayError(too_many_ranks(len(self.low), self.n, 1))
        for rank, (low, high) in enumerate(zip(self.low, self.high, strict=True), start=1):
            if not 0 <= low < high < math.inf:
                raise AllpayError(f"weight {rank} needs bounds 0 ≤ low < high: got {exactly(low)} and {exactly(high)}")

    @property
    def ranks(self) -> int:
        return len(self.low)

    @property
    def freedom(self) -> int:
        return len(self.low)

    @property
    def cube(self) -> int:
        return len(self.low)

    @cached_property
    def corners(self) -> Array:
        m = len(self.low)
        _check_corners(2 * m, m, self.n)
        ends = np.zeros((m, 2, self.n))
        ends[np.arange(m), :, np.arange(m)] = np.stack([self.low, self.high], axis=1)
        return ends

    def coordinates(self, weights: ArrayLike) -> Array:
        w = np.asarray(weights, float)
        low, high, m = np.array(self.low), np.array(self.high), len(self.low)
        if (
            w.shape[-1] != self.n
            or np.any(np.abs(w[..., m:]) > TOLERANCE)
            or np.any((w[..., :m] < low - TOLERANCE) | (w[..., :m] > high + TOLERANCE))
        ):
            raise AllpayError(
                f"weights must be {self.n}, from {low.tolist()} to {high.tolist()} on the first {m} ranks and 0 after: "
                f"got {w.tolist()}"
            )
        part = np.clip((w[..., :m] - low) / (high - low), 0.0, 1.0)
        return np.stack([1 - part, part], axis=-1)

    def weights(self, coordinates: ArrayLike) -> Array:
        return self.from_cube(np.asarray(coordinates, float)[..., 1])

    def from_cube(self, points: ArrayLike) -> Array:
        u = np.asarray(points, float)
        low, high = np.array(self.low), np.array(self.high)
        weights = np.zeros((*u.shape[:-1], self.n))
        weights[..., : len(low)] = np.clip(low + (high - low) * u, low, high)
        return weights

    def uniform(self, count: int, rng: np.random.Generator) -> Array:
        return self.from_cube(rng.random((count, self.cube)))


class _Cut:
    """The part of a simplex where a linear function is at most `bound`, in coordinates of the simplex; see `OrderedSimplex`.

    Attributes:
        corners: `[corners, m]` those of the part.
    """

    def __init__(self, values: Array, bound: float):
        """`values` `[m]` are those of the function at the corners of the simplex; some must exceed the bound, some be below."""
        m = len(values)
        self.above = np.flatnonzero(values > bound)
        self.below = np.flatnonzero(values < bound)
        kept = np.flatnonzero(values <= bound)
        i, j = len(self.above), len(self.below)
        high, low = values[self.above][:, None], values[self.below][None, :]
        self.part = (bound - low) / (high - low)  # [i, j] how much of the upper corner is in the point between the two
        between = self.part[..., None] * np.eye(m)[self.above][:, None]
        between = between + (1 - self.part)[..., None] * np.eye(m)[self.below]
        self.corners = np.concatenate([np.eye(m)[kept], between.reshape(-1, m)])
        self.at = len(kept) + np.arange(i * j).reshape(i, j)  # [i, j] the number of the corner between the two
        self.number = np.full(m, -1)
        self.number[kept] = np.arange(len(kept))
        self.level = np.setdiff1d(kept, self.below)  # corners of the simplex that meet the bound
        self.volume = np.zeros((i + 1, j + 1))  # the share of a simplex of so many corners on either side that is kept
        self.volume[0] = 1.0
        for a in range(1, i + 1):
            for b in range(1, j + 1):
                p = self.part[a - 1, b - 1]
                self.volume[a, b] = p * self.volume[a - 1, b] + (1 - p) * self.volume[a, b - 1]

    def spread(self, choices: Array, lam: Array) -> Array:
        """Coordinates on `corners` `[..., corners]`, uniform on the part if `choices` and the sticks of `lam` are uniform.

        `choices` `[..., m − 1]` say which halves are taken, `lam` `[..., m]` where in the last one the point lies.
        """
        shape = lam.shape[:-1]
        choices, lam = choices.reshape(-1, choices.shape[-1]), lam.reshape(-1, lam.shape[-1])
        count, m = lam.shape
        rows = np.arange(count)
        upper, lower = np.full(count, len(self.above)), np.full(count, len(self.below))
        out = np.zeros((count, len(self.corners)))
        for step in range(len(self.above) + len(self.below) - 1):
            going = upper > 0
            a, b = np.maximum(upper, 1), np.maximum(lower, 1)
            chance = self.part[a - 1, b - 1] * self.volume[a - 1, b] / self.volume[a, b]
            replaces_upper = choices[:, step] < chance
            out[rows[going], self.at[a - 1, b - 1][going]] = lam[going, step]
            upper = np.where(going & replaces_upper, upper - 1, upper)
            lower = np.where(going & ~replaces_upper, lower - 1, lower)
        # what is left of the simplex: the points met, `steps` of them, and corners below or on the bound
        met = len(self.above) + len(self.below) - upper - lower
        for k, corner in enumerate(self.below):
            left = k < lower
            out[left, self.number[corner]] = lam[rows[left], met[left] + k]
        for k, corner in enumerate(self.level):
            out[:, self.number[corner]] = lam[:, m - 1 - k]
        return out.reshape(*shape, -1)

    def coordinates(self, lam: Array) -> tuple[Array, Array]:
        """Coordinates `[..., corners]` of points of the part, and how much of each `[...]` lies beyond the bound.

        The halving in which a point lies is told by its coordinates: e takes what it needs of v and s, until one is used up.
        """
        shape = lam.shape[:-1]
        left = lam.reshape(-1, lam.shape[-1]).copy()
        count = len(left)
        rows = np.arange(count)
        upper, lower = np.full(count, len(self.above)), np.full(count, len(self.below))
        out = np.zeros((count, len(self.corners)))
        for _ in range(len(self.above) + len(self.below)):
            going = (upper > 0) & (lower > 0)
            if not going.any():
                break
            a, b = np.maximum(upper, 1) - 1, np.maximum(lower, 1) - 1
            v, s, p = self.above[a], self.below[b], self.part[a, b]
            by_upper, by_lower = left[rows, v] / p, left[rows, s] / (1 - p)
            uses_upper = by_upper <= by_lower
            taken = np.where(going, np.where(uses_upper, by_upper, by_lower), 0.0)
            out[rows, self.at[a, b]] += taken
            left[rows, v] = np.where(going & uses_upper, 0.0, np.maximum(left[rows, v] - p * taken, 0.0))
            left[rows, s] = np.where(going & ~uses_upper, 0.0, np.maximum(left[rows, s] - (1 - p) * taken, 0.0))
            upper = np.where(going & uses_upper, upper - 1, upper)
            lower = np.where(going & ~uses_upper, lower - 1, lower)
        beyond = left[:, self.above].sum(axis=1)
        kept = self.number >= 0
        out[:, self.number[kept]] += left[:, kept]
        out /= out.sum(axis=1, keepdims=True)
        return out.reshape(*shape, -1), beyond.reshape(shape)


# Points spread over a polytope ----------------------------------------------------------------------------------------


def spread(polytope: Polytope, count: int, rng: np.random.Generator, sampling: str = "uniform") -> Array:
    """`[count, n]` designs; of a grid, the finest with at most so many.

    - `uniform`: independent and uniform;
    - `sobol`: uniform too, by Owen's (1998) scrambled Sobol points, which leave no gaps;
    - `grid`: all averages of L corners, block by block (Scheffé 1958).

    Of the first two a longer sample begins with the shorter one.

    Raises:
        AllpayError: if the way is unknown, or a grid has no room for the corners.
    """
    one_of("sampling", sampling, SAMPLINGS)
    if sampling == "uniform":
        return polytope.uniform(count, rng)
    if sampling == "grid":
        return grid(polytope, count)
    check_sobol(polytope)
    from scipy.stats import qmc

    points = qmc.Sobol(polytope.cube, scramble=True, seed=rng).random_base2((max(count, 1) - 1).bit_length())
    return polytope.from_cube(points[:count])


def check_sobol(polytope: Polytope) -> None:
    """Raise AllpayError if there are no Sobol points for designs of a polytope."""
    if polytope.cube is None:
        raise AllpayError("sampling sobol is for weights with one bound at most: give sampling uniform")
    if polytope.cube > MOST_SOBOL:
        raise AllpayError(
            f"sampling sobol spreads designs of at most {MOST_SOBOL:,} numbers: got {polytope.cube:,}, for "
            f"{polytope.ranks:,} ranks; give sampling uniform, or fewer ranks"
        )


def opening(polytope: Polytope, count: int, rng: np.random.Generator, sampling: str = "sobol") -> Array:
    """`[count, n]` designs to begin with: the corners, as far as these are at most half of them, and others spread.

    The best design is often a corner, and what is known of the inside says little of them.
    """
    ends = ends_of(polytope, count // 2)
    if len(ends) == 0 or sampling == "grid":  # a grid has the corners
        return spread(polytope, count, rng, sampling)
    return np.concatenate([ends, spread(polytope, count - len(ends), rng, sampling)])


def ends_of(polytope: Polytope, most: int) -> Array:
    """`[at most `most`, n]` corners of a polytope of more than one dimension.

    Where the first block has more corners, as the ordered simplex of many ranks, those taken lie evenly on a logarithmic scale,
    the first and the last among them: from one prize to two is a larger step than from 41 to 42. Where the other blocks have
    more, as those of a box of many ranks, none is taken.
    """
    n = polytope.corners.shape[2]
    if polytope.freedom <= 1 or most < 2:
        return np.empty((0, n))
    every = every_corner(polytope, most)
    if every is not None:
        return every
    first, *others = _distinct(polytope)
    room = most // math.prod(others)
    if room < 2:
        return np.empty((0, n))
    chosen = np.unique(np.geomspace(1, first, min(room, first)).round().astype(int))
    found = polytope.corners[0][chosen - 1]
    for block, count in zip(polytope.corners[1:], others, strict=True):
        found = (found[:, None] + block[:count]).reshape(-1, n)
    return found


def every_corner(polytope: Polytope, most: int) -> Array | None:
    """`[corners, n]` all corners, of several blocks all combinations of theirs; None if they are more than `most`."""
    if len(polytope.corners) == 1:
        return polytope.corners[0] if polytope.corners.shape[1] <= most else None
    return grid(polytope, most, finest=1) if _points(1, _distinct(polytope)) <= most else None


def grid(polytope: Polytope, most: int, finest: int | None = None) -> Array:
    """`[at most `most`, n]` the averages of L corners, block by block, for the largest L that leaves so few; each once.

    Args:
        polytope: where designs lie.
        most: so many at most.
        finest: the largest L, if it has a bound.

    Raises:
        AllpayError: if already the corners are more.
    """
    blocks, corners, _ = polytope.corners.shape
    counts = _distinct(polytope)
    if max(counts) == 1:
        return polytope.weights(np.eye(corners)[np.zeros((1, blocks), int)])
    # of 1, 2, … parts, how many leave so few points
    parts = bisect_left(range(1, most + 2), most + 1, key=lambda parts: _points(parts, counts))
    parts = parts if finest is None else min(parts, finest)
    if parts == 0:
        same = len(set(counts)) == 1
        least = f"{counts[0]:,}" if blocks == 1 else f"{counts[0]}^{blocks:,}" if same else written(math.prod(counts))
        raise AllpayError(
            f"a grid has at least the {least} corners of the space: got {most:,} designs; give more samples"
        )
    points = _points(parts, counts)
    check_memory(
        8 * points * (4 * polytope.corners.shape[2] + 4 * blocks * corners),
        f"a grid of {points:,} designs of {polytope.ranks:,} ranks (prizes)",
        "give fewer samples",
    )
    shares = [_shares(parts, count, corners) for count in counts]
    every = np.unravel_index(np.arange(points), [len(rows) for rows in shares])
    lam = np.stack([rows[chosen] for rows, chosen in zip(shares, every, strict=True)], axis=1)
    designs = polytope.weights(lam / parts)
    _, first = np.unique(designs.round(12), axis=0, return_index=True)
    return designs[np.sort(first)]


def _shares(parts: int, count: int, corners: int) -> NDArray[np.int64]:
    """`[averages, corners]` how many of so many parts each corner has, the first `count` of them: stars between bars."""
    bars = np.fromiter(chain.from_iterable(combinations(range(parts + count - 1), count - 1)), int)
    bars = bars.reshape(math.comb(parts + count - 1, count - 1), count - 1)
    shares = np.diff(bars, axis=1, prepend=-1, append=parts + count - 1) - 1
    return np.pad(shares, ((0, 0), (0, corners - count)))


def _distinct(polytope: Polytope) -> list[int]:
    """How many different corners each block has; the first so many, for one that stands several times comes last."""
    return [1 + int(np.any(block[1:] != block[:-1], axis=1).sum()) for block in polytope.corners]


def _points(parts: int, counts: Sequence[int]) -> int:
    """How many averages of corners there are, of so many in each block."""
    return math.prod(math.comb(parts + count - 1, count - 1) for count in counts)


def looked_at(polytope: Polytope, count: int = 501, seed: int = 0) -> tuple[Array, Array]:
    """Corners `[few, n]`, and designs uniform over a polytope: together about `count`, which cover it.

    A line is covered by a grid from end to end, and needs no corners. Where these are more than `count`, as in a box of many
    ranks, they are left out: what is ascended from inside reaches them.
    """
    n = polytope.corners.shape[2]
    if polytope.freedom <= 1:
        designs = grid(polytope, max(count, 2))
        along = np.ptp(designs, axis=0).argmax()
        return np.empty((0, n)), designs[np.argsort(designs[:, along], kind="stable")]
    every = every_corner(polytope, count)
    few = np.empty((0, n)) if every is None else every
    return few, polytope.uniform(count - len(few), np.random.default_rng(seed))


def candidates(n: int, m: int, count: int = 501, seed: int = 0) -> Array:
    """`[count, n]` weights that cover the ordered simplex: a grid for m = 2, otherwise its corners and a uniform sample.

    Raises:
        AllpayError: if m is not in 1 … n.
    """
    return np.concatenate(looked_at(OrderedSimplex(n, m), max(count, m), seed))
