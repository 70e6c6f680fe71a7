"""What simulated designs say by themselves, beside any network: how noisy they are, where a fit misses them, and whether their
means differ at all.

It takes arrays and gives arrays. The network smooths; these numbers say where it smooths away what was seen.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy  # whose parts are loaded when they are used
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import KDTree

Array = NDArray[np.float64]

NEAREST = 8
"""How many designs around a point say how noisy rounds are there, and how far the fit is off."""

UNUSUAL = 0.1
"""The chance of being wrong that bounds on variances and misfits are given, each on its own."""

CHANCE = 0.05
"""Means are said to differ where chance alone would make them differ as much less often than this."""

DENSE, DENSER = 18, 12
"""So many designs on a line, and so many more for each further dimension, cannot rule out a peak between them."""

SMALLEST = 1e-12
"""Standard deviations below this part of the largest value are rounding."""


@dataclass(frozen=True)
class Evidence:
    """Designs that were simulated, and what a fit that had not seen them predicted.

    Attributes:
        weights: `[designs, n]`.
        values: `[designs, rounds]` the objective in each round.
        held_out: `[designs]` the prediction of each design by members that were not trained on it.
        grid: what the grids of bids and values leave open, in units of the objective.
    """

    weights: Array
    values: Array
    held_out: Array
    grid: float = 0.0

    def joined(self, other: "Evidence") -> "Evidence":
        """With more designs, of as many rounds each."""
        return Evidence(
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.held_out, other.held_out]),
            self.grid,
        )

    @property
    def rounds(self) -> int:
        return self.values.shape[1]

    @cached_property
    def means(self) -> Array:
        """`[designs]`."""
        return self.values.mean(axis=1)

    @cached_property
    def missed(self) -> Array:
        """`[designs]` by how much a design's mean is above the prediction by those that had not seen it."""
        return self.means - self.held_out

    @cached_property
    def variances(self) -> Array:
        """`[designs]` of single rounds around the mean of their design; of one round, by what held-out predictions miss."""
        floor = (SMALLEST * float(np.abs(self.values).max())) ** 2
        if self.rounds == 1:
            return np.full(len(self.means), max(float(np.mean(self.missed**2)), floor))
        return np.maximum(self.values.var(axis=1, ddof=1), floor)

    @cached_property
    def scale(self) -> Array:
        """`[n]` by which weights are divided before distances are taken: their standard deviations."""
        spread = self.weights.std(axis=0)
        return np.where(spread > 0, spread, 1.0)

    @cached_property
    def _tree(self) -> "KDTree":
        from scipy.spatial import KDTree  # a fourth of the start of the program, most of which needs none

        return KDTree(self.weights / self.scale)

    def near(self, points: Array, count: int = NEAREST) -> NDArray[np.intp]:
        """`[points, count]` the designs nearest to points `[points, n]`, the nearest first; all where they are fewer."""
        k = min(count, len(self.weights))
        return np.asarray(self._tree.query(points / self.scale, k)[1]).reshape(len(points), k)

    def half_width(self, weights: Array, rounds: Array, confidence: float) -> float:
        """Half the length of the interval of a mean of fresh rounds `[rounds]` at a design `[n]`.

        Few rounds say little of their own variance, and where noise is skewed or has two modes they say too little of it. So
        the variance is moderated by those of all designs (Smyth 2004), as much as these are alike, with Student's t; and it
        is held against the pooled variance of the designs nearby. The wider of the two counts.
        """
        count, own = len(rounds), float(np.var(rounds, ddof=1)) if len(rounds) > 1 else 0.0
        nearby = self.variances[self.near(weights[None])[0]]
        freedom = max(self.rounds - 1, 1)
        tail = (1 + confidence) / 2
        pooled = float(scipy.special.stdtrit(freedom * len(nearby), tail)) ** 2 * float(nearby.mean())
        typical, worth = _prior(self.variances, freedom)
        mixed = typical if np.isinf(worth) else (worth * typical + (count - 1) * own) / (worth + count - 1)
        degrees = min(worth + count - 1, float(freedom * len(self.variances)))
        moderated = float(scipy.special.stdtrit(degrees, tail)) ** 2 * mixed
        return float(np.sqrt(max(pooled, moderated) / count))

    def misfit(self, points: Array) -> Array:
        """`[points]` how far the fit may be off at points `[points, n]`, by the held-out designs around each.

        It is an upper bound of the root mean square misfit there, from the mean square of what the predictions of the nearest
        designs missed, less the variance of the means of their rounds. So few designs make it wide, and noise alone hardly.
        """
        nearest = self.near(points)
        count = nearest.shape[1]
        square = np.mean(self.missed[nearest] ** 2, axis=1) * count / float(scipy.special.chdtri(count, 1 - UNUSUAL))
        noise = np.mean(self.variances[nearest], axis=1) / self.rounds if self.rounds > 1 else 0.0
        return np.sqrt(np.maximum(square - noise, 0.0))

    def beside(self, points: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The nearest designs to points `[points, n]` and which of them are neighbours of it, `[points, count]` each.

        A design is a neighbour of a point if no other lies between them, that is nearer to both than they are to each other
        (relative neighbourhood; Toussaint 1980). On a line these are the two designs on either side.
        """
        nearest = self.near(points)
        scaled = self.weights / self.scale
        from_point = np.linalg.norm(scaled[nearest] - (points / self.scale)[:, None], axis=2)
        between = np.linalg.norm(scaled[nearest][:, :, None] - scaled[nearest][:, None], axis=3)
        closer = from_point[:, None, :] < from_point[:, :, None]  # the third is nearer to the point
        return nearest, ~np.any(closer & (between < from_point[:, :, None]), axis=2)

    @cached_property
    def differ(self) -> float:
        """The chance that means of equal designs would differ as much, by their variance and by the one furthest off.

        What the grid leaves open is taken for noise, since it moves designs by unknown amounts.
        """
        count = len(self.means)
        if self.rounds == 1 or count < 3:
            return 1.0
        noise = float(self.variances.mean()) / self.rounds + self.grid**2
        freedom = count * (self.rounds - 1)
        by_variance = float(scipy.special.fdtrc(count - 1, freedom, self.means.var(ddof=1) / noise))
        furthest = float(np.abs(self.means - np.median(self.means)).max())
        by_one = 2 * count * float(scipy.special.stdtr(freedom, -furthest / np.sqrt(noise)))
        return min(1.0, 2 * min(by_variance, by_one))

    def unknown(self, freedom: int) -> str:
        """Why equal predictions do not show that all designs of a space of so many dimensions are worth the same; empty if
        they do."""
        if self.differ < CHANCE:
            return "the means of designs differ by more than chance"
        if len(self.means) <= DENSE + DENSER * (freedom - 1):
            return f"{len(self.means)} designs cannot rule out a peak between them"
        return ""


def _prior(variances: Array, freedom: int) -> tuple[float, float]:
    """The variance typical of designs, and for how many degrees of freedom of an own one it counts (Smyth 2004)."""
    logs = np.log(variances) - scipy.special.digamma(freedom / 2) + np.log(freedom / 2)
    scatter = float(logs.var(ddof=1) - scipy.special.polygamma(1, freedom / 2))
    if scatter <= 0:
        return float(variances.mean()), np.inf
    worth = 0.5 + 1 / scatter  # half the degrees of freedom, where trigamma is the scatter: by Newton's method
    for _ in range(50):
        value = float(scipy.special.polygamma(1, worth))
        worth += value * (1 - value / scatter) / float(scipy.special.polygamma(2, worth))
    return float(np.exp(logs.mean() + scipy.special.digamma(worth) - np.log(worth))), 2 * worth
