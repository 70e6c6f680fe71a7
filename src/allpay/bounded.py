"""Further polytopes of designs: weights with a floor for each rank, both bounds on the first, and ranks that get the same; and
weights beside other numbers that are free between bounds.

Both are polytopes as in `simplex`: averages of corners, block by block.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError, exactly, short
from allpay.frozen import Stateful
from allpay.memory import check_memory
from allpay.scalars import plain_fields, real, whole
from allpay.simplex import TOLERANCE, Polytope, vertices

Array = NDArray[np.float64]

ROUNDING = 1e-11
"""Of what must not be negative, so much below 0 is rounding."""

CHAINS = 64
"""So many random walks go on side by side."""

WARM, STEPS = 20, 4
"""A walk goes so many steps for each dimension before the first design is taken, and from one design to the next."""


@dataclass(frozen=True)
class Bounded(Stateful):
    """Nonincreasing weights of sum 1 on the first m of n ranks, each at least its floor, the first at most so much, and some
    ranks with the same weight.

    Attributes:
        n: how many ranks there are.
        low: `[m]` the least that each weight may be.
        first_at_most: the most that the first may be.
        tied: ranges of ranks `(first, last)`, counted from 1, that have the same weight.

    Raises:
        AllpayError: if the bounds leave no design.
    """

    n: int
    low: tuple[float, ...]
    first_at_most: float | None = None
    tied: tuple[tuple[int, int], ...] = ()
    _corners: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain_fields(self)
        given = tuple(real("a floor", x) for x in self.low)
        object.__setattr__(self, "low", given)
        m = len(given)
        if not 1 <= m <= self.n:
            raise AllpayError(f"floors are for at most {self.n:,} ranks: got {m:,}")
        for rank, least in enumerate(given, start=1):
            if not 0 <= least <= 1:
                raise AllpayError(
                    f"the floor of rank {rank} must be a part of the sum, from 0 to 1: got {exactly(least)}"
                )
        object.__setattr__(self, "tied", tuple(self._range(ranks) for ranks in self.tied))
        total = float(self.floors.sum())
        if total > 1 + TOLERANCE:
            raise AllpayError(
                f"floors must leave something: got {total:.6g} of 1 for all ranks together"
                f"{', with those above in order or the same' if total > sum(given) + TOLERANCE else ''}; lower some"
            )
        most = self.first_at_most
        if most is not None and not most >= max(1 / m, float(self.floors[0])) - ROUNDING:
            raise AllpayError(
                f"the first weight of any design is at least {max(1 / m, float(self.floors[0])):.4g} here: got at most "
                f"{most:g}; raise it, or lower the floors"
            )
        object.__setattr__(self, "_corners", self._from_simplex(self._found()))
        if len(self._corners) == 0:
            raise AllpayError("no design keeps to all these bounds on the weights: leave one of them out")

    def _range(self, ranks: object) -> tuple[int, int]:
        if not isinstance(ranks, Sequence) or isinstance(ranks, str) or len(ranks) != 2:
            raise AllpayError(f"ranks that get the same are a range (first, last): got {short(ranks)}")
        first, last = (whole("a rank", rank) for rank in ranks)
        if not 1 <= first < last <= len(self.low):
            raise AllpayError(
                f"ranks {first} to {last} cannot get the same: give a range within the first {len(self.low)} ranks"
            )
        return first, last

    @cached_property
    def floors(self) -> Array:
        """`[m]` the least that each weight can be, for the order and the ties beside its own floor."""
        found = np.maximum.accumulate(np.array(self.low)[::-1])[::-1].copy()
        for _ in self.tied:  # ranges may overlap, so that one raises another
            for first, last in self.tied:
                found[first - 1 : last] = found[first - 1 : last].max()
            found = np.maximum.accumulate(found[::-1])[::-1]
        return found

    @cached_property
    def falls(self) -> NDArray[np.intp]:
        """The ranks, counted from 1, after which a weight may be lower than theirs."""
        held = {rank for first, last in self.tied for rank in range(first, last)}
        return np.array([rank for rank in range(1, len(self.low) + 1) if rank not in held])

    @property
    def ranks(self) -> int:
        return len(self.low)

    @cached_property
    def freedom(self) -> int:
        apart = self._corners - self._corners[0]
        return int(np.linalg.matrix_rank(apart, tol=1e-9)) if len(apart) > 1 else 0

    @property
    def cube(self) -> None:
        return None

    @property
    def corners(self) -> Array:
        return self._corners[None]

    def coordinates(self, weights: ArrayLike) -> Array:
        from scipy.optimize import nnls

        w = np.asarray(weights, float)
        if (
            w.shape[-1] != self.n
            or not np.all(self._room(w) >= -TOLERANCE)
            or np.any(np.abs(w.sum(-1) - 1) > TOLERANCE)
        ):
            raise AllpayError(f"weights must keep to the floors, bounds and ties of their ranks: got {w.tolist()}")
        rows = w.reshape(-1, self.n)[:, : self.ranks]
        system = np.concatenate([self._corners[:, : self.ranks].T, np.ones((1, len(self._corners)))])
        lam = np.array([nnls(system, np.append(row, 1.0))[0] for row in rows])
        off = np.abs(lam @ self._corners[:, : self.ranks] - rows).max(axis=1, initial=0.0)
        if np.any(off > 10 * TOLERANCE):
            raise AllpayError(f"weights must be nonincreasing, of sum 1 and within their bounds: got {w.tolist()}")
        lam /= lam.sum(axis=1, keepdims=True)
        return lam.reshape(*w.shape[:-1], 1, len(self._corners))

    def weights(self, coordinates: ArrayLike) -> Array:
        return self._exact(np.asarray(coordinates, float)[..., 0, :] @ self._corners)

    def from_cube(self, points: ArrayLike) -> Array:
        raise AllpayError("designs with several bounds are not spread by Sobol points: give the sampling uniform")

    def uniform(self, count: int, rng: np.random.Generator) -> Array:
        """Random walks that go from a design in a random direction to a point uniform on the line through the polytope.

        References:
            Smith (1984), Efficient Monte Carlo procedures for generating points uniformly distributed over bounded regions.
        """
        if self.freedom == 0:
            return np.repeat(self._corners[:1], count, axis=0)
        middle, directions = self._ways
        mixed = rng.dirichlet(np.ones(len(self._corners)), size=CHAINS)
        at = 0.5 * (mixed @ self._corners + middle)
        found = []
        for sweep in range(-(-count // CHAINS)):
            for _ in range(self.freedom * (WARM if sweep == 0 else STEPS) + 1):
                at = self._step(at, rng.standard_normal((CHAINS, self.freedom)) @ directions, rng.random(CHAINS))
            at = self._exact(at)
            found.append(at)
        return np.concatenate(found)[:count]

    @cached_property
    def _ways(self) -> tuple[Array, Array]:
        """`[n]` the middle of the corners, and `[freedom, n]` directions as long as the polytope is wide in each."""
        middle = self._corners.mean(axis=0)
        apart = self._corners - middle
        sizes, ways = np.linalg.eigh(apart.T @ apart)
        return middle, np.sqrt(np.maximum(sizes[-self.freedom :], 0.0))[:, None] * ways[:, -self.freedom :].T

    def _step(self, at: Array, way: Array, where: Array) -> Array:
        """From points `[chains, n]`, along a way each, to a place between its two ends, `where` in [0, 1]."""
        here = self._room(at)
        slope, room = self._room(at + way) - here, np.maximum(here, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = -room / slope
        up = np.min(np.where(slope < -ROUNDING, reach, np.inf), axis=1)
        down = np.max(np.where(slope > ROUNDING, reach, -np.inf), axis=1)
        going = np.isfinite(up) & np.isfinite(down)
        length = np.where(going, down, 0.0) + where * np.where(going, up - down, 0.0)
        return np.asarray(at + length[:, None] * way)

    def _room(self, weights: Array) -> Array:
        """`[..., bounds]` how far weights `[..., n]` keep to each bound; below 0 where they break it."""
        w = weights[..., : self.ranks]
        parts = [-np.diff(w, axis=-1), w - self.floors, -np.abs(weights[..., self.ranks :])]
        if self.first_at_most is not None:
            parts.append(self.first_at_most - w[..., :1])
        parts += [-np.abs(w[..., first - 1 : last] - w[..., first - 1 : first]) for first, last in self.tied]
        return np.concatenate(parts, axis=-1)

    def _exact(self, weights: Array) -> Array:
        """Weights in order, within their bounds and tied, without a rounding error."""
        w = np.maximum(weights[..., : self.ranks], self.floors)
        if self.first_at_most is not None:
            w = np.minimum(w, self.first_at_most)
        for first, last in self.tied:
            w[..., first - 1 : last] = w[..., first - 1 : first]
        out = np.zeros_like(weights)
        out[..., : self.ranks] = np.minimum.accumulate(w, axis=-1)
        return out

    def _from_simplex(self, lam: Array) -> Array:
        whole = np.zeros((len(lam), self.n))
        whole[:, : self.ranks] = lam @ vertices(self.ranks, self.ranks)[self.falls - 1]
        return self._exact(whole)

    def _found(self) -> Array:
        """`[corners, falls]` the corners as averages of those of the simplex without bounds, which are cut off one by one.

        Where a plane cuts an edge between two corners there is a new one. Two corners are the ends of an edge if no third lies
        on all planes on which both lie (the double description method of Motzkin, Raiffa, Thompson & Thrall 1953).
        """
        simplex = vertices(self.ranks, self.ranks)[self.falls - 1]
        floors = self.floors
        falling = np.flatnonzero(floors > np.append(floors[1:], 0.0))
        cuts = [simplex[:, rank] - floors[rank] for rank in falling]
        if self.first_at_most is not None:
            cuts.append(self.first_at_most - simplex[:, 0])
        lam = np.eye(len(simplex))
        on = lam == 0  # [corners, planes] on which planes each corner lies
        for cut in cuts:
            room = lam @ cut
            room[np.abs(room) < ROUNDING] = 0.0
            kept, out = np.flatnonzero(room >= 0), np.flatnonzero(room < 0)
            inner = np.flatnonzero(room > 0)
            check_memory(
                16 * len(inner) * len(out),
                f"the corners of designs of {self.ranks:,} ranks with {len(cuts)} bounds",
                "give fewer floors, or fewer ranks (prizes)",
            )
            pairs = self._edges(on, inner, out, len(simplex) - 2)
            a, b = room[pairs[:, 0]], room[pairs[:, 1]]
            part = (a / (a - b))[:, None]
            between = (1 - part) * lam[pairs[:, 0]] + part * lam[pairs[:, 1]]
            planes = np.concatenate([on, (room == 0)[:, None]], axis=1)
            met = np.concatenate([on[pairs[:, 0]] & on[pairs[:, 1]], np.ones((len(pairs), 1), bool)], axis=1)
            lam, on = np.concatenate([lam[kept], between]), np.concatenate([planes[kept], met])
            if len(lam) == 0:
                break
        _, first = np.unique(lam.round(12), axis=0, return_index=True)
        return lam[np.sort(first)]

    @staticmethod
    def _edges(on: NDArray[np.bool_], inner: NDArray[np.intp], out: NDArray[np.intp], least: int) -> NDArray[np.intp]:
        """`[edges, 2]` the pairs of an inner and an outer corner joined by an edge: at least so many planes hold both."""
        common = on[inner].astype(np.int32) @ on[out].T.astype(np.int32)
        pairs = np.argwhere(common >= least)
        found = []
        for i, j in pairs:
            both = on[inner[i]] & on[out[j]]
            if np.sum(np.all(on[:, both], axis=1)) == 2:
                found.append((inner[i], out[j]))
        return np.array(found, np.intp).reshape(-1, 2)


CALLED = {"max_bid": "cap on bids"}
"""What numbers beside weights are called, where not by their names."""


def called(name: str) -> str:
    """What a number beside weights is called.

    >>> called("head_start:2"), called("max_bid")
    ('head start of group 2', 'cap on bids')
    """
    kind, colon, group = name.partition(":")
    return CALLED.get(kind, kind.replace("_", " ")) + (f" of group {group}" if colon else "")


@dataclass(frozen=True)
class Beside(Stateful):
    """Designs of a polytope, each with some numbers from 0 to 1 beside it, all free of each other.

    So that blocks have as many corners each, the last corner of those that have fewer stands several times.

    Attributes:
        base: the polytope of the weights.
        numbers: how many numbers stand beside them.
    """

    base: Polytope
    numbers: int

    @property
    def ranks(self) -> int:
        return self.base.ranks

    @property
    def freedom(self) -> int:
        return self.base.freedom + self.numbers

    @property
    def cube(self) -> int | None:
        return None if self.base.cube is None else self.base.cube + self.numbers

    @cached_property
    def corners(self) -> Array:
        blocks, corners, n = self.base.corners.shape
        found = np.zeros((blocks + self.numbers, max(corners, 2), n + self.numbers))
        found[:blocks, :corners, :n] = self.base.corners
        found[:blocks, corners:, :n] = self.base.corners[:, -1:]
        for k in range(self.numbers):
            found[blocks + k, 1:, n + k] = 1.0
        return found

    def coordinates(self, weights: ArrayLike) -> Array:
        w = np.asarray(weights, float)
        blocks, corners, n = self.base.corners.shape
        beside = w[..., n:]
        if w.shape[-1] != n + self.numbers or np.any((beside < -TOLERANCE) | (beside > 1 + TOLERANCE)):
            raise AllpayError(f"numbers beside the weights must lie from 0 to 1 of their ranges: got {w.tolist()}")
        every = self.corners.shape[1]
        found = np.zeros((*w.shape[:-1], blocks + self.numbers, every))
        found[..., :blocks, :corners] = self.base.coordinates(w[..., :n])
        u = np.clip(beside, 0.0, 1.0)
        found[..., blocks:, 0] = 1 - u
        found[..., blocks:, 1:] = u[..., None] / (every - 1)
        return found

    def weights(self, coordinates: ArrayLike) -> Array:
        lam = np.asarray(coordinates, float)
        blocks, corners, _ = self.base.corners.shape
        own = lam[..., :blocks, :corners].copy()
        own[..., -1] += lam[..., :blocks, corners:].sum(axis=-1)
        return np.concatenate([self.base.weights(own), np.clip(lam[..., blocks:, 1:].sum(axis=-1), 0.0, 1.0)], axis=-1)

    def from_cube(self, points: ArrayLike) -> Array:
        u = np.asarray(points, float)
        own = u.shape[-1] - self.numbers
        return np.concatenate([self.base.from_cube(u[..., :own]), u[..., own:]], axis=-1)

    def uniform(self, count: int, rng: np.random.Generator) -> Array:
        (other,) = rng.spawn(1)  # so that a longer sample begins with the shorter one
        return np.concatenate([self.base.uniform(count, rng), other.random((count, self.numbers))], axis=-1)
