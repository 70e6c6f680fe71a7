"""The honest answer: the best weights by the ensemble, what they are worth, and which weights cannot be told from them.

It sees the ensemble only through its predictions and how they fared on held-out designs; how it was trained, and what it
predicts, is not known here.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.ascent import mirror_ascent
from allpay.bounded import Beside, called
from allpay.errors import AllpayError, exactly
from allpay.evidence import Evidence
from allpay.frozen import ByValue, Framed
from allpay.scalars import numeral, valued
from allpay.simplex import Box, OrderedSimplex, Polytope, looked_at, shown

Array = NDArray[np.float64]

NEARLY_ALL = 0.9
"""The share of all designs above which those that cannot be told from the best are said to be nearly all."""

DUST = 1e-12
"""A weight this near to 0 or 1 is it: the rest is what the ascent's arithmetic leaves."""

FLAT = 0.05
"""Designs are said to be worth the same only if all predictions, with their uncertainty, lie within this part of the value on
either side, as well as the interval of the value and what the simulation leaves open."""

WORTHLESS = -1.0
"""A held-out r² below this says that the ensemble did much worse than the plain mean of the designs."""

NOTHING = 1e-3
"""Weights below this are said to be 0."""

LISTED = 6
"""Up to how many ranges, or different weights, are listed one by one."""

GAP = 0.02
"""The least width of a gap in a set of designs that is told, as a part of the range that a weight can have."""

ACROSS, BETWEEN = 4, 7
"""To see whether there is a gap, so many designs on either side are joined by lines, of each of which so many points are looked
at."""

MISFIT = 1.0
"""How many times the misfit around a design the ensemble may be off there."""

SMOOTHING = 1.2
"""How much larger the ensemble's error is than its scatter; measured by `benchmarks/calibration.py`."""


class Ensemble(Protocol):
    """What the optimum needs of a surrogate."""

    @property
    def r2(self) -> float:
        """Share of the variance between designs that predictions of held-out designs explain."""
        ...

    @property
    def rmse(self) -> float:
        """Root mean square error of these predictions."""
        ...

    def members(self, weights: ArrayLike) -> Array:
        """`[members, points]` predictions at the weights `[points, n]`."""
        ...

    def value_and_gradient(self, weights: ArrayLike) -> tuple[Array, Array]:
        """The members' mean `[points]` and its gradient `[points, n]`."""
        ...


@dataclass(frozen=True)
class Chosen:
    """A number that was chosen with the weights.

    Attributes:
        name: which.
        value: the best found.
        low, high: from where to where it goes among the designs that cannot be told from the best.
    """

    name: str
    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """What it is called."""
        return called(self.name)


@dataclass(frozen=True, eq=False)
class Optimum(ByValue, Framed):
    """The best weights found, with their uncertainty.

    Attributes:
        weights: `[n]` where the ensemble's mean is highest.
        value: what they are worth, in units of the objective: the mean of fresh rounds where there were some (`measured`),
            else the prediction.
        low, high: confidence interval of the true value of these weights: of fresh rounds, with what the grid leaves open; or
            of the prediction, allowing for their having been chosen because it was high. Nothing that cannot be paid is in it.
        interval: `[n, 2]` for each rank, the lowest and highest weight among the designs that cannot be told from the best.
        intervals: `[n]` for each rank, the parts `(low, high)` of this interval in which these designs lie, if there are gaps
            between them (`GAP`); empty is the same as one part each.
        fraction: share of all designs (uniform on the ordered simplex) that cannot be told from the best.
        flat: whether these are nearly all designs, and all are known to be worth nearly the same.
        confidence: of all intervals.
        ranks: m, how many ranks may carry weight.
        objective: what the value is called.
        unknown: if nearly no design can be told from the best, why that does not show that all are worth the same; else empty.
        box: whether each weight is free between its bounds; otherwise they sum to 1.
        predicted: the ensemble's mean at the weights, and the interval of that prediction; empty where `value` is that itself.
        chosen: what was chosen beside the weights.
    """

    weights: tuple[float, ...]
    value: float
    low: float
    high: float
    interval: tuple[tuple[float, float], ...]
    fraction: float
    flat: bool
    confidence: float
    ranks: int
    objective: str
    unknown: str = ""
    box: bool = False
    predicted: tuple[float, ...] = ()
    intervals: tuple[tuple[tuple[float, float], ...], ...] = ()
    chosen: tuple[Chosen, ...] = ()

    @property
    def design(self) -> tuple[float, ...]:
        """The weights, and what was chosen beside them."""
        return (*self.weights, *(chosen.value for chosen in self.chosen))

    @property
    def named(self) -> str:
        """The best design in words."""
        return in_words(self.weights) + beside_in_words((one.name, one.value) for one in self.chosen)

    @property
    def parts(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """For each rank, the intervals of its weight among the designs that cannot be told from the best; mostly one."""
        return self.intervals or tuple((whole,) for whole in self.interval)

    @property
    def measured(self) -> bool:
        """Whether the value is that of fresh rounds, not a prediction."""
        return bool(self.predicted)

    @property
    def prediction(self) -> tuple[float, float, float]:
        """What the ensemble predicts of the weights, and from where to where that may be off."""
        value, low, high = self.predicted or (self.value, self.low, self.high)
        return value, low, high

    @property
    def freedom(self) -> int:
        """How many numbers can be chosen when the others are given."""
        return len(self.chosen) + (self.ranks if self.box else self.ranks - 1)

    @property
    def uncertain(self) -> bool:
        """Whether too little is known to tell designs apart, or to say that they are all worth the same."""
        return bool(self.unknown)

    @property
    def undecided(self) -> bool:
        """Whether no design is known to be better than the others: because all are worth the same, or for lack of knowledge."""
        return self.flat or self.uncertain

    @property
    def sentence(self) -> str:
        """The answer in plain words."""
        best = self.named
        within = f"{self.confidence:.0%} interval {numeral(self.low, 4)} to {numeral(self.high, 4)}"
        worth = f"{'measured' if self.measured else 'predicted'} {valued(self.objective, self.value, 4)} ({within})"
        if self.freedom == 0:
            return f"Only the weights {best} are possible: {worth}."
        ranges = self.ranges()
        share = share_in_words(self.fraction)
        if self.uncertain:
            return (
                f"Cannot tell: these simulations are too few or too noisy to tell any design from another ({self.unknown}). "
                f"{share} of all designs ({ranges}) may be best; the highest prediction, at {best}, means little."
            )
        if self.flat:
            return (
                f"The {self.objective} is flat: no design is seen to differ from another by more than {FLAT:.0%} or so, and "
                f"{share} of all designs ({ranges}) cannot be told from the best, so the best found, {best}, is no better "
                f"than another; {worth}."
            )
        return f"Best weights {best}: {worth}. Cannot be told apart from it: {share} of all designs, {ranges}."

    def ranges(self, name: str = "w_1") -> str:
        """The lowest and highest weight of each rank among the designs that cannot be told from the best, in words.

        Neighbours with the same range are named together, and ranks that carry nothing are left out; where one weight says
        all, as of two of sum 1, it is called `name`.
        """
        beside = [f"{one.words} from {_amount(one.low)} to {_amount(one.high)}" for one in self.chosen]
        if self.freedom == 1:
            return beside[0] if beside else f"{name} {_ranges(self.parts[0])}"
        groups: list[tuple[list[int], str]] = []
        for rank, parts in enumerate(self.parts[: self.ranks], start=1):
            if parts[-1][1] < NOTHING:
                continue
            words = _ranges(parts)
            if groups and groups[-1][1] == words:
                groups[-1][0].append(rank)
            else:
                groups.append(([rank], words))
        listed = [
            f"{f'w_{ranks[0]}' if len(ranks) == 1 else f'w_{ranks[0]} to w_{ranks[-1]}'} {words}"
            for ranks, words in groups[:LISTED]
        ]
        if len(groups) > LISTED:
            most = max(high for _, high in self.interval[groups[LISTED][0][0] - 1 :])
            listed.append(f"the others at most {_number(most)}")
        return ", ".join([*listed, *beside])


def beside_in_words(chosen: Iterable[tuple[str, float]]) -> str:
    """The names and numbers of what was chosen beside the weights, to be put after them; empty if nothing was."""
    return "".join(f", {called(name)} {_amount(number)}" for name, number in chosen)


def share_in_words(fraction: float) -> str:
    """A share of all designs; a small one is not none, for the candidates are a sample."""
    return f"{fraction:.0%}" if fraction >= 0.01 else "less than 1%"


def in_words(weights: Sequence[float], digits: int = 3) -> str:
    """A design as people read it: a row of weights, or of a long one, how many ranks carry how much.

    Long rows that are in no order, as those of a box can be, are given up to twice the length.

    >>> in_words([0.8, 0.2, 0.0])
    '(0.8, 0.2, 0)'
    >>> in_words([1 / 7] * 7 + [1e-9] * 43)
    '7 equal weights of 0.143, 43 of 0'
    """
    kept = [w if w >= NOTHING else 0.0 for w in weights]
    carrying = max((rank for rank, w in enumerate(kept, start=1) if w > 0), default=0)
    ordered = all(a >= b for a, b in pairwise(kept))
    if carrying <= LISTED or (not ordered and carrying <= 2 * LISTED):
        return shown(kept, digits)
    numbers = [f"{w:.{digits}g}" for w in kept[:carrying]]
    groups = {number: numbers.count(number) for number in dict.fromkeys(numbers)}
    if len(groups) > 1 and not ordered:
        text = f"{carrying} weights from {min(kept[:carrying]):.{digits}g} to {max(kept):.{digits}g}, in no order"
    elif len(groups) > LISTED:
        text = f"{carrying} weights from {numbers[0]} down to {numbers[-1]}"
    elif len(groups) == 1:
        text = f"{carrying} equal weights of {numbers[0]}"
    else:
        text = ", ".join(f"{count} of {number}" for number, count in groups.items())
        text = text.replace(" of ", f" weight{'' if next(iter(groups.values())) == 1 else 's'} of ", 1)
    rest = len(kept) - carrying
    return text + (f", {rest} of 0" if rest else "")


def _ranges(parts: Sequence[tuple[float, float]]) -> str:
    """Intervals in words; of very many, how many there are."""
    if len(parts) > LISTED:
        return f"in {len(parts)} parts between {_number(parts[0][0])} and {_number(parts[-1][1])}"
    *others, last = (_range(low, high) for low, high in parts)
    return f"{', '.join(others)} and {last}" if others else last


def _range(low: float, high: float) -> str:
    first, last = _number(low), _number(high)
    return f"= {first}" if first == last else f"from {first} to {last}"


def _amount(x: float) -> str:
    """A number beside weights, in units of its own."""
    return numeral(x, 3) if abs(x) > DUST else "0"


def _number(x: float) -> str:
    return f"{x:.3g}" if x >= NOTHING else "0"


def find_optimum(
    surrogate: Ensemble,
    n: int,
    m: int | None = None,
    *,
    polytope: Polytope | None = None,
    confidence: float = 0.9,
    resolution: float = 0.0,
    objective: str = "revenue",
    evidence: Evidence | None = None,
    at: ArrayLike | None = None,
    measured: tuple[float, float, float] | None = None,
    most: float = math.inf,
    least: float = 0.0,
    beside: Sequence[tuple[str, float, float]] = (),
    points: int = 1001,
    starts: int = 32,
    seed: int = 0,
) -> Optimum:
    """Ascend the ensemble's mean from many starts, then ask the members how sure the answer is.

    The members' scatter about their mean stands for the mean's scatter about the truth (the bootstrap). With w* the best
    weights by the mean f, and f_m a member:

    - *Can anything be told from the best?* The mean's range over all designs is compared with the ranges that the
      members' scatter f_m − f alone has. If it is not above their `confidence` quantile, the curve cannot be told from a
      flat one, and neither can any of its points from another: a comparison of two is believed only if the comparison of all
      is (closed testing). Without this step the argmax of pure noise would be given an interval.
    - *Which weights can be told from the best?* Those where the paired difference f_m(w*) − f_m(w) exceeds `resolution`
      for at least a share of the members. Both points of the pair err together, so that share is below the confidence:
      near a parabola's peak the estimate w* strays from the truth with standard deviation s/c, s that of the slope and
      c the curvature; the paired difference at w is c(w − w*)²/2 and has the scatter s|w − w*|. So the interval
      w* ± z·s/c consists of the weights where the difference is at most z/2 of its scatter: the share Φ(z/2), .79 for a
      confidence of .9. It is raised to Φ(1.2·z/2), .84, for what the scatter does not show: the smoothing that all
      members have in common. The 1.2 was measured on synthetic curves with known optimum.
    - *What is the best worth?* w* was chosen because its prediction is high, which favours predictions that are too high
      (the winner's curse). Each member in turn plays the estimate, and the mean the truth: choosing w_m by itself, the member
      overrates its choice by f_m(w_m) − f(w_m). The mean and standard deviation of that error are applied to f(w*). The
      members' own interval at w*, which knows no choice, is included, and nothing below the least
      that can be, 0 for revenue, for nobody is paid to bid.
    - *Is a curve flat, or unknown?* Where nearly nothing can be told from the best, all designs are said to be worth the same
      only if all predictions with their intervals lie within 5% of the value, and held-out designs do not belie them.

    How often these intervals hold the truth is measured by `benchmarks/calibration.py`.

    Args:
        surrogate: the ensemble.
        n: how many ranks there are.
        m: how many of them may carry weight, n without it.
        polytope: where designs lie, if not on the ordered simplex of these.
        confidence: of both intervals.
        resolution: a difference of the objective that the simulation itself cannot resolve: error of its grid or its learning.
        objective: what it is called in the sentence.
        evidence: the designs that were simulated: where the ensemble misses them, the set of designs is wider.
        at: `[n]` the weights to answer for; those where the ensemble's mean is highest if not given.
        measured: what these were found to be worth by fresh rounds, and from where to where that may be off.
        most, least: what can be paid at most, and at least, in units of the objective.
        beside: the name, the lowest and the highest of each number that is chosen with the weights: the last columns of points.
        points: how many candidate designs are looked at.
        starts: from how many of them the mean is ascended.
        seed: of the candidates where they are a sample, that is of more than one dimension; same seed, same bits.

    Raises:
        AllpayError: if m is not in 1 … n, the confidence not between 0 and 1, or the resolution negative.

    References:
        Davison and Hinkley (1997), Bootstrap methods and their application. Marcus, Peritz and Gabriel (1976), On closed
        testing procedures. Capen, Clapp and Campbell (1971), on the winner's curse.
    """
    where = OrderedSimplex(n, n if m is None else m) if polytope is None else polytope
    if not 0 < confidence < 1:
        raise AllpayError(f"confidence must lie between 0 and 1: got {exactly(confidence)}; 0.9 is usual")
    if not resolution >= 0:
        raise AllpayError(f"resolution must be at least 0, in units of the objective: got {exactly(resolution)}")
    corners, uniform = looked_at(where, points, seed)
    designs = np.concatenate([corners, uniform])
    best = highest(surrogate, where, points, starts, seed) if at is None else np.asarray(at, float)
    simulated = [] if evidence is None else [evidence.weights]
    closer = [] if where.freedom <= 1 else _closer(designs, best)
    everywhere = np.concatenate([best[None], designs, *simulated, *closer])
    every = surrogate.members(everywhere)
    mean, scatter = every.mean(axis=0), every.std(axis=0, ddof=1)
    edges = _edges(where, best) if where.freedom > 1 else best[None]

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    overrated = every.max(axis=1) - mean[every.argmax(axis=1)]
    middle = float(mean[0] - overrated.mean())
    margin = float(z * overrated.std(ddof=1))
    value, own = float(mean[0]), float(z * scatter[0])
    low, high = min(value - own, middle - margin), max(value + own, middle + margin)
    low, high = max(low, min(value, least)), min(high, max(value, most))

    lift, enough = 0.0, -math.inf
    if evidence is not None:
        known = (low, high) if measured is None else (measured[1], measured[2])
        lift, enough = min(max(value, known[0]), known[1]) - value, known[0]
    share = NormalDist().cdf(SMOOTHING * z / 2)

    def near_of(points: Array, every: Array) -> NDArray[np.bool_]:
        """`[points]` which cannot be told from the best, by the members' predictions of them."""
        allowed, hidden = np.full(len(points), resolution), np.zeros(len(points), bool)
        if evidence is not None:
            allowed = np.maximum(allowed, MISFIT * evidence.misfit(points))
            hidden = _hidden(evidence, points, enough, z)
        return (np.quantile(at_best + lift - every, 1 - share, axis=0) <= allowed) | hidden

    at_best = every[:, :1]
    intervals: tuple[tuple[tuple[float, float], ...], ...] = ()
    if lift <= 0 and np.ptp(mean) <= np.quantile(np.ptp(every - mean, axis=1), confidence) + resolution:
        near = np.ones(len(mean), bool)
    else:
        near = near_of(everywhere, every)
        near[0] = True
        everywhere = np.concatenate([everywhere, edges])
        near = np.append(near, near_of(edges, surrogate.members(edges)))
        intervals = tuple(
            _parts(everywhere, near, rank, lambda points: near_of(points, surrogate.members(points)))
            for rank in range(everywhere.shape[1])
        )

    ranges = np.stack([everywhere[near].min(axis=0), everywhere[near].max(axis=0)], axis=1)
    fraction = float(np.mean(near[1 + len(corners) : 1 + len(designs)]))
    unknown = ""
    if where.freedom > 0 and fraction >= NEARLY_ALL:
        lowest, highest_ = float((mean - z * scatter).min()), float((mean + z * scatter).max())
        unknown = _unknown(value, min(low, lowest), max(high, highest_), resolution, surrogate, least)
        unknown = unknown or (evidence.unknown(where.freedom) if evidence is not None else "")
    worth = (value, low, high) if measured is None else measured
    ranks = everywhere.shape[1] - len(beside)
    chosen = tuple(
        Chosen(name, *(float(lowest + (highest - lowest) * x) for x in (at, *ends)))
        for (name, lowest, highest), at, ends in zip(beside, best[ranks:], ranges[ranks:], strict=True)
    )
    ranges, intervals = ranges[:ranks], intervals[:ranks]
    return Optimum(
        weights=tuple(float(x) for x in best[:ranks]),
        value=worth[0],
        low=worth[1],
        high=worth[2],
        interval=tuple((float(a), float(b)) for a, b in ranges),
        fraction=fraction,
        flat=where.freedom > 0 and fraction >= NEARLY_ALL and not unknown,
        confidence=confidence,
        ranks=where.ranks,
        objective=objective,
        unknown=unknown,
        box=isinstance(where, Box) or (isinstance(where, Beside) and isinstance(where.base, Box)),
        predicted=() if measured is None else (value, low, high),
        intervals=() if all(len(parts) == 1 for parts in intervals) else intervals,
        chosen=chosen,
    )


def _parts(
    designs: Array, near: NDArray[np.bool_], rank: int, near_of: Callable[[Array], NDArray[np.bool_]]
) -> tuple[tuple[float, float], ...]:
    """The intervals in which the weights of a rank lie that designs have which cannot be told from the best.

    Where designs are a sample there are few near the ends of the set, and so gaps by chance. Hence one is told only if no
    design in it, on the lines between those on either side, is one that cannot be told from the best either.

    Args:
        designs: `[designs, n]`.
        near: `[designs]` which of them cannot be told from the best.
        rank: counted from 0.
        near_of: tells the same of other designs `[points, n]`.
    """
    inside = designs[near][np.argsort(designs[near, rank], kind="stable")]
    weights, ends = inside[:, rank], []
    for i in np.flatnonzero(np.diff(weights) > GAP * float(np.ptp(designs[:, rank]))):
        below, above = inside[max(i + 1 - ACROSS, 0) : i + 1], inside[i + 1 : i + 1 + ACROSS]
        along = (np.arange(BETWEEN) + 0.5)[:, None, None, None] / BETWEEN
        lines = (below[:, None] + along * (above - below[:, None])).reshape(-1, designs.shape[1])
        within = (lines[:, rank] > weights[i]) & (lines[:, rank] < weights[i + 1])
        if not np.any(near_of(lines[within])):
            ends.append(int(i))
    firsts, lasts = weights[[0, *(i + 1 for i in ends)]], weights[[*ends, -1]]
    return tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _hidden(evidence: Evidence, points: Array, enough: float, z: float) -> NDArray[np.bool_]:
    """`[points]` whether a point lies beside a design that may be as good as the best, where the ensemble misses designs.

    Between two designs that it misses by more than their noise, any value is possible up to that of the better one.
    """
    error = np.sqrt(evidence.variances / evidence.rounds)
    missed = np.abs(evidence.missed) > z * error
    good = evidence.means + z * error + evidence.grid >= enough
    nearest, beside = evidence.beside(points)
    found: NDArray[np.bool_] = np.any(beside & missed[nearest], axis=1) & np.any(beside & good[nearest], axis=1)
    return found


def _unknown(value: float, lowest: float, highest: float, resolution: float, surrogate: Ensemble, least: float) -> str:
    """Why designs that cannot be told apart are not known to be worth the same, none below `least`; empty if they are."""
    near = FLAT * abs(value)
    if max(value - lowest, highest - value) > near:
        lowest = max(lowest, min(value, least))
        return f"predictions with their uncertainty run from {numeral(lowest, 3)} to {numeral(highest, 3)}"
    if resolution > near:
        return f"differences below {numeral(resolution, 2)} are not resolved"
    if surrogate.r2 < WORTHLESS and 2 * surrogate.rmse > near:
        return f"on held-out designs the network does worse than their mean, r² = {surrogate.r2:.2g}"
    return ""


def _closer(designs: Array, best: Array) -> list[Array]:
    """The candidates drawn towards the best, at several distances: a sample of many ranks has hardly a point near it."""
    return [best + part * (designs - best) for part in (0.5, 0.2, 0.1, 0.05, 0.02)]


def _edges(where: Polytope, best: Array) -> Array:
    """`[designs, n]` the designs nearest the best without one of the corners, or with a weight as small or as large as can be.

    No sample comes to where weights are exactly at their bounds, as where a rank wins nothing.
    """
    lam, corners = where.coordinates(best), where.corners
    least, most = corners.min(axis=1, keepdims=True), corners.max(axis=1, keepdims=True)
    without = [np.eye(corners.shape[1], dtype=bool)[None].repeat(len(corners), axis=0)]
    without += [np.swapaxes(off, 1, 2) for off in (corners > least + DUST, corners < most - DUST)]
    rest = np.array(
        [
            np.where((np.arange(len(lam)) == block)[:, None] & way, 0.0, lam)
            for block, ways in enumerate(np.concatenate(without, axis=1))
            for way in ways
        ]
    )
    sums = rest.sum(axis=2, keepdims=True)
    kept = np.all(sums > DUST, axis=(1, 2))
    return np.asarray(where.weights(rest[kept] / sums[kept]))


def expected_loss(
    surrogate: Ensemble, where: Polytope, evidence: Evidence | None = None, points: int = 1001, seed: int = 0
) -> float:
    """How much the best design found is expected to lose against the best that there is, as a part of its own value.

    Each member in turn plays the truth, as in `find_optimum`: the design that is best by the mean loses f_m(w_m) − f_m(w*)
    to the one that is best by member m. The mean of this over members is the regret (the expected opportunity cost
    of Chick & Inoue 2001), as far as the members' scatter shows it; where the ensemble misses designs near the best, it is so
    much more.
    """
    best = highest(surrogate, where, points, seed=seed)
    designs = np.concatenate([best[None], *looked_at(where, points, seed)])
    closer = [] if where.freedom <= 1 else _closer(designs[1:], best)
    every = surrogate.members(np.concatenate([designs, *closer]))
    value, loss = abs(float(every[:, 0].mean())), float(np.mean(every.max(axis=1) - every[:, 0]))
    if evidence is not None:
        loss += float(evidence.misfit(best[None])[0])
    return loss / value if value > 0 else math.inf


def highest(surrogate: Ensemble, where: Polytope, points: int = 1001, starts: int = 32, seed: int = 0) -> Array:
    """`[n]` where the ensemble's mean is highest; see `find_optimum` for the arguments."""
    best = ascend_mean(surrogate, np.concatenate(looked_at(where, points, seed)), where, starts)
    return np.where(best < DUST, 0.0, np.where(best > 1 - DUST, 1.0, best))


def ascend_mean(surrogate: Ensemble, designs: Array, where: Polytope, starts: int = 32) -> Array:
    """`[n]` where the mean is highest: ascended from the highest of `designs` `[designs, n]`, and from some of the others."""
    value, _ = (np.asarray(a, float) for a in surrogate.value_and_gradient(designs))
    order = np.argsort(-np.where(np.isfinite(value), value, -np.inf), kind="stable")
    spread = np.linspace(0, len(designs) - 1, min(len(designs), starts)).astype(int)
    chosen = np.unique(np.concatenate([order[: max(1, starts // 4)], spread]))
    found = mirror_ascent(surrogate.value_and_gradient, designs[chosen], polytope=where, iterations=300, tolerance=1e-7)
    return found.weights if found.value >= value[order[0]] else designs[order[0]]
