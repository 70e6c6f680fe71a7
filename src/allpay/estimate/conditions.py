"""What equilibrium says of bids: how the values of bidders and the quantiles of their bids hang together, contest by contest.

Bidders are alike and have private values. b(q) is the bid and v(q) the value at quantile q, Π(q) the prize that it wins on
average and S(q) the part of its bid that it pays:

    c(b(q))·S(q) = ∫₀^q v dΠ

(the idea of Guerre, Perrigne & Vuong 2000, in quantiles). It is linear in v, holds for each number of bidders and each table of
prizes with the same v, and needs no slope of what was observed. So values are fitted by least squares to quantiles of costs.

An observed quantile is off by a Brownian bridge over the square root of the number of bids, times the slope of the cost in q.
The steps of a bridge over a partition of [0, 1] are independent but for their sum, so that differences of neighbouring
quantiles over that slope and the root of their distance are residuals of variance 1. Least squares of these are as precise as
any estimate can be (a minimum distance with the best weights).

Where bidders are of several groups, the prize that a bid b of group g wins follows from what the others were seen to bid: it
beats one of group h with the share F_h(b) of its bids. With b = b_g(q) the same condition holds group by group,

    c(b_g(q))·S_g(q) = ∫₀^q v_g dΠ_g,    Π_g from q for rivals of the own group, F_h(b_g(q)) for those of group h

(the first-order condition against observed bids, again as an integral, so that no density is needed). To first order what
observed bids are off by is now the bridge of each F_h, times v·∂Π_g/∂F_h: where a bid is off by itself, its cost and its prize
move together, which is what makes it a best response.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from allpay.contest.preferences import Cost, PowerCost
from allpay.contest.values import Distribution, bernstein
from allpay.theory.field import Rivals

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

MOST_QUANTILES = 60
"""Into so many quantiles the bids of one kind of contest are summed up at most."""

BEYOND = 3.0
"""So many bids are expected below the lowest of these quantiles, and above the highest: extremes are no bridge."""

FINER = 400
"""Into so many quantiles a condition is cut to look up which of them bids a cost, and what is bid at any."""

WIDEST = 1 / 12
"""Quantiles that are further apart, in (2/π)·arcsin √q, have more nodes between them."""

SAME = 1e-9
"""Bids whose difference is a smaller part of the highest count as equal."""

INSIDE = 16
"""At so many places in a step in which bids were recorded their distribution is looked up."""

NOTHING = 1e-3
"""What was bid counts as 0 where it is likely to have been less than this part of a step."""

BEYOND_OF_GROUPS = 15.0
"""The same where bids of several groups are matched: what a bid wins is read off the others' bids at one that is off itself,
which with few bids below it makes the lowest values seem lower (measured: by 10 % at quantile .25 of 500 bids with 3)."""

GOLDEN = (np.sqrt(5) - 1) / 2
"""Multiples of it, without their whole part, are spread evenly, and in no order."""

NODES = 4
"""Of Gauss–Legendre, between two quantiles."""

FLATTEST = 1e-3
"""The slope of costs counts as at least this part of its largest, so that no stretch where nobody bids rules all others."""


@dataclass(frozen=True)
class Kind:
    """Contests with the same bidders and prizes.

    Attributes:
        bidders: how many are registered.
        prizes: `[ranks]` what each rank wins; every further rank wins nothing.
        payments: `[ranks]` the part of its bid that each rank pays.
        rest: what every further rank pays.
        presence: the chance that a registered bidder bids.
        counts: `[groups]` how many bidders of each group; empty where all are alike.
        group: which of them this is about.
        presences: `[groups]` the chance of a bidder of each to bid.
    """

    bidders: int
    prizes: tuple[float, ...]
    payments: tuple[float, ...] = (1.0,)
    rest: float = 1.0
    presence: float = 1.0
    counts: tuple[int, ...] = ()
    group: int = 0
    presences: tuple[float, ...] = ()

    @property
    def rivals(self) -> tuple[int, ...]:
        """`[groups]` how many rivals a bidder of the group has of each."""
        return tuple(count - (h == self.group) for h, count in enumerate(self.counts))


class Condition:
    """The equilibrium condition of one kind of contest at fixed quantiles.

    Attributes:
        quantiles: `[m]`, increasing.
        nodes: `[parts, NODES]` quantiles between them, and below the first.
        mass: `[parts, NODES]` of Π at the nodes.
        paid: `[m]` S.
    """

    def __init__(self, kind: Kind, quantiles: Array) -> None:
        self._kind = kind
        self.quantiles = quantiles
        at = 2 / np.pi * np.arcsin(np.sqrt(quantiles))
        wide = np.diff(at, prepend=0.0)
        parts = np.maximum(np.ceil(wide / WIDEST - 1e-9), 1).astype(int)
        self._last = np.cumsum(parts) - 1  # of the parts below each quantile
        width = np.repeat(wide / parts, parts)
        begin = np.cumsum(width) - width
        points, weights = np.polynomial.legendre.leggauss(NODES)
        x = begin[:, None] + width[:, None] * (points + 1) / 2
        rivals = Rivals.of(kind.bidders, kind.presence)
        self.nodes = _quantile(x)
        step = width[:, None] * weights / 2 * (np.pi / 2) * np.sin(np.pi * x)
        prizes = np.array(kind.prizes)
        self.mass = step * (rivals.rank_slopes(self.nodes, len(prizes)) @ prizes)
        self._slope = rivals.rank_slopes(self.quantiles, len(prizes)) @ prizes
        extra = np.array(kind.payments) - kind.rest
        self.paid = kind.rest + rivals.rank_chances(self.quantiles, len(extra)) @ extra
        self._paid_slope = rivals.rank_slopes(self.quantiles, len(extra)) @ extra
        self._curves: dict[int, Array] = {}
        self._root = np.sqrt(np.diff(np.concatenate([[0.0], self.quantiles, [1.0]])))

    def spent(self, values: Array) -> Array:
        """∫₀^q v dΠ at the quantiles, `[m, …]`, of values `[parts, NODES, …]` at the nodes."""
        return np.asarray(np.cumsum(np.einsum("mk,mk...->m...", self.mass, values), axis=0)[self._last])

    def foreseen(self, distribution: Distribution) -> Array:
        """`[m]` what is spent at the quantiles by bidders whose values are of a distribution."""
        values = np.asarray(distribution.quantile(self.nodes.ravel())).reshape(self.nodes.shape)
        return self.spent(values)

    def left(self, spent: Array, distribution: Distribution, slopes: Array) -> Array:
        """`[m + 1]` what a distribution leaves unexplained of what was `spent`, as steps of a bridge, like `residuals`.

        A difference of costs over their slope is how far bids are off in quantiles, to first order. Where costs are curved, as
        those of the lowest bids, that can be 20 times as much as they are off. So the quantile itself is looked up at which the
        distribution bids what was observed, and the smaller of both counts.
        """
        first = (spent - self.foreseen(distribution)) / slopes
        off = self._found_at(spent / self.paid, distribution) - self.quantiles
        return self.residuals(np.where(np.abs(first) < np.abs(off), first, off), np.ones(len(first)))

    def _found_at(self, costs: Array, distribution: Distribution) -> Array:
        """The quantiles at which bidders bear these costs."""
        fine = self.fine
        borne = fine.foreseen(distribution) / fine.paid
        slope = (borne[-1] - borne[-2]) / (fine.quantiles[-1] - fine.quantiles[-2])
        borne = np.concatenate([[0.0], borne, [borne[-1] + slope * (1 - fine.quantiles[-1])]])
        rising = np.maximum.accumulate(borne) + 1e-15 * borne[-1] * np.arange(len(borne))
        return np.interp(costs, rising, np.concatenate([[0.0], fine.quantiles, [1.0]]))

    @cached_property
    def fine(self) -> "Condition":
        """The same at more quantiles, wherever bids were seen."""
        return Condition(self._kind, spread(FINER))

    def spent_by_increments(self, degree: int) -> Array:
        """`[m, degree + 1]` what is spent where values are a curve and one increment of its coefficients is 1, all others 0.

        A coefficient is the sum of the increments up to it: an increment adds its own Bernstein polynomial and all later.
        """
        if degree not in self._curves:
            later = np.cumsum(bernstein(self.nodes, degree)[..., ::-1], axis=-1)[..., ::-1]
            self._curves[degree] = self.spent(later)
        return self._curves[degree]

    def slopes(self, values: Array, spent: Array) -> Array:
        """`[m]` S·d c(b(q))/dq, of values at the quantiles and what is spent there."""
        slopes = values * self._slope - spent * self._paid_slope / np.maximum(self.paid, 1e-12)
        return np.asarray(np.maximum(slopes, FLATTEST * slopes.max()))

    def residuals(self, apart: Array, slopes: Array) -> Array:
        """`[m + 1, …]` differences `[m, …]` of what was spent, as steps of a bridge: of variance 1 over the number of bids."""
        shape = (-1, *[1] * (apart.ndim - 1))
        bridge = apart / slopes.reshape(shape)
        end = np.zeros((1, *bridge.shape[1:]))
        return np.asarray(np.diff(np.concatenate([end, bridge, end]), axis=0) / self._root.reshape(shape))


class Against(Condition):
    """The condition of one group at fixed quantiles, against the bids that all groups were seen to make.

    Attributes: as of `Condition`, of the group's own quantiles.
    """

    def __init__(self, kind: Kind, count: int, seen: "Sequence[Seen]") -> None:
        parts = (count + 1) * NODES
        x = np.arange(parts + 1) / (count + 1) / NODES  # ends of the parts that quantiles are cut into
        q, own = _quantile(x), seen[kind.group]
        costs = own.cost_at(q)
        below = np.array([other.below(costs) for other in seen])  # [groups, parts + 1]
        below[kind.group] = np.maximum(q, own.at_zero)
        self.quantiles = q[NODES:-1:NODES]
        inside = slice(None, count * NODES)
        self.nodes = _quantile((x[:-1] + x[1:]) / 2)[inside].reshape(count, NODES)
        amounts = np.array(kind.prizes)
        extra = np.array(kind.payments) - kind.rest
        self.mass = np.diff(expected(amounts, kind, below))[inside].reshape(count, NODES)
        self._last = np.arange(count)
        at = slice(NODES, -1, NODES)
        self.paid = kind.rest + expected(extra, kind, below[:, at])
        self._curves: dict[int, Array] = {}
        self._prize_moves = np.array([_moved(amounts, kind, below[:, at], h) for h in range(len(seen))])
        self._pay_moves = np.array([_moved(extra, kind, below[:, at], h) for h in range(len(seen))])
        self._noise = np.array([own.count / max(other.count, 1.0) for other in seen])[:, None]  # beside the own
        weight = self._prize_moves**2 * self._noise
        self._scale = np.sqrt(np.maximum(weight.sum(axis=0), 1e-300))
        steps = np.sum(weight / self._scale**2 * np.diff(below[:, :-1:NODES]), axis=0)  # [m] between quantiles
        curved = (steps / self.quantiles) ** 2 / max(
            own.count, 1.0
        )  # the lowest own bids are off by more than a little
        self._root = np.sqrt(np.maximum(steps, 0.5 / max(own.count, 1.0)) + curved)

    @property
    def fine(self) -> "Condition":
        """Itself: what others were seen to bid is no finer."""
        return self

    def slopes(self, values: Array, spent: Array) -> Array:
        moves = values * self._prize_moves - spent / np.maximum(self.paid, 1e-12) * self._pay_moves
        slopes = np.sqrt(np.sum(moves**2 * self._noise, axis=0))
        return np.asarray(np.maximum(slopes, FLATTEST * slopes.max()))

    def left(self, spent: Array, distribution: Distribution, slopes: Array) -> Array:
        return self.residuals(spent - self.foreseen(distribution), slopes)

    def residuals(self, apart: Array, slopes: Array) -> Array:
        """`[m + 1, …]` steps as of `Condition`, and the last difference itself: an integral over bridges, which begin and end
        at 0, so that its variance is that of what they are multiplied with.
        """
        shape = (-1, *[1] * (apart.ndim - 1))
        start = np.zeros((1, *apart.shape[1:]))
        steps = np.diff(np.concatenate([start, apart / slopes.reshape(shape)]), axis=0) / self._root.reshape(shape)
        parts = self._root**2 / np.sum(self._root**2)
        spread = np.sqrt(max(float(parts @ slopes**2 - (parts @ slopes) ** 2), float((FLATTEST * slopes.max()) ** 2)))
        return np.asarray(np.concatenate([steps, apart[-1:] / spread]))


def _above(chances: Array, counts: Sequence[int], ranks: int) -> Array:
    """`[points, ranks]` how likely 0, 1, … rivals are above, so many of each group with chances `[groups, points]`."""
    found = np.zeros((chances.shape[1], ranks))
    found[:, 0] = 1.0
    for chance, count in zip(chances, counts, strict=True):
        for _ in range(count):
            found[:, 1:] = found[:, 1:] * (1 - chance[:, None]) + found[:, :-1] * chance[:, None]
            found[:, 0] *= 1 - chance
    return found


def expected(amounts: Array, kind: Kind, below: Array) -> Array:
    """`[points]` what ranks bring to one who beats a rival of each group, if there, with chances `[groups, points]`."""
    chances = np.array(kind.presences)[:, None] * (1 - below)
    return np.asarray(_above(chances, kind.rivals, len(amounts)) @ amounts)


def _moved(amounts: Array, kind: Kind, below: Array, group: int) -> Array:
    """`[points]` its derivative in the chances of one group."""
    counts = list(kind.rivals)
    if counts[group] == 0:
        return np.zeros(below.shape[1])
    counts[group] -= 1
    chances = np.array(kind.presences)[:, None] * (1 - below)
    steps = amounts - np.append(amounts[1:], 0.0)  # of one place lost
    return np.asarray(kind.rivals[group] * kind.presences[group] * (_above(chances, counts, len(amounts)) @ steps))


class Seen:
    """What a group was seen to bid in contests of one kind.

    Attributes:
        count: of how many bids.
        at_zero: the share of them that are 0.
    """

    def __init__(self, costs: Array, each: Array) -> None:
        starts = np.flatnonzero(np.diff(costs, prepend=-1.0) > 0)  # bids that tie count as one another's halves
        together = np.add.reduceat(each, starts) if len(starts) else np.zeros(0)
        kept = together > 0
        self._costs, together = costs[starts][kept], together[kept]
        self.count = float(together.sum())
        share = together / max(self.count, 1e-300)
        self._middle = np.cumsum(share) - share / 2
        self.at_zero = float(share[0]) if len(share) and self._costs[0] == 0 else 0.0
        if self.at_zero:
            self._middle[0] = self.at_zero

    def below(self, costs: Array) -> Array:
        """The share of its bids that bids of these costs beat, any shape; all that are 0 count as beaten."""
        if not len(self._costs):
            return np.zeros(np.shape(costs))
        return np.where(costs > self._costs[-1], 1.0, np.interp(costs, self._costs, self._middle, left=0.0))

    def cost_at(self, q: Array) -> Array:
        """The cost at quantiles, any shape; nothing at quantile 0, the highest seen at 1."""
        if not len(self._costs):
            return np.zeros(np.shape(q))
        found = np.interp(q, self._middle, self._costs)
        return np.asarray(np.where((q == 0) | (q <= self.at_zero), 0.0, found))


@dataclass(frozen=True, eq=False)
class Turnout:
    """Who came, by contest.

    Attributes:
        there, registered: `[groups, contests]` how many of each group; one group where bidders are alike.
    """

    there: Array
    registered: Array

    def presences(self, weights: Array | None = None) -> tuple[float, ...]:
        """`[groups]` the share that came, each contest counting `weights` times, or once."""
        counted = [array.sum(axis=1) if weights is None else array @ weights for array in (self.there, self.registered)]
        share = counted[0] / np.maximum(counted[1], 1e-300)
        return tuple(np.where(counted[0] > 0, share, 1.0).tolist())


@dataclass(frozen=True, eq=False)
class Bids:
    """The bids of all contests of one kind, of one group if bidders are of several.

    Attributes:
        kind: of which.
        costs: `[bids]` what each cost where it was paid in full, increasing.
        contest: `[bids]` in which contest it was.
        groups: the same of all groups in order, the own included; empty where bidders are alike.
        turnout: who came, over all kinds; None where everybody did.
        weights: `[contests]` how often each contest counts in the condition, or once.
        held: how many contests of the kind there were, those in which nobody bid included; 0 where that is not told.
        step: in which bids were recorded; 0 if they were not.
        likely: `[bids]` what each is likely to have cost before it was recorded so; the costs if it was not.
        edges: `[k]` what bids between two steps cost, increasing: of these alone it is known how many are below.
        foretold: `[2, m]` of a first fit at the quantiles of the condition: bids, and the slopes of what is spent by which
            differences are judged, over the slope of the cost; None before there is one.
    """

    kind: Kind
    costs: Array
    contest: Whole
    groups: "tuple[Bids, ...]" = ()
    turnout: Turnout | None = None
    weights: Array | None = None
    held: int = 0
    step: float = 0.0
    likely: Array = field(default_factory=lambda: np.zeros(0))
    edges: Array = field(default_factory=lambda: np.zeros(0))
    foretold: Array | None = None

    @classmethod
    def of(cls, kind: Kind, bids: Array, contest: Whole, cost: Cost, step: float) -> "Bids":
        order = np.lexsort((np.modf(np.arange(len(bids)) * GOLDEN)[0], bids))  # equal ones not in the order of contests
        ordered = bids[order]
        likely, edges = (np.asarray(cost.cost(part)) for part in in_steps(ordered, step))
        return cls(kind, np.asarray(cost.cost(ordered)), contest[order], step=step, likely=likely, edges=edges)

    def costing(self, cost: Cost) -> "Bids":
        """The same with what bids cost, where what is told as costs are the bids themselves."""
        other = replace(
            self,
            costs=np.asarray(cost.cost(self.costs)),
            likely=np.asarray(cost.cost(self.likely)),
            edges=np.asarray(cost.cost(self.edges)),
            groups=tuple(group.costing(cost) for group in self.groups),
        )
        if not self.groups:  # the condition hangs on who took part alone
            other.__dict__["condition"] = self.condition
        return other

    def among(self, chosen: NDArray[np.bool_]) -> "Bids":
        """Those of the contests that are chosen `[contests]`; with fewer quantiles, as there are fewer bids."""
        kept = chosen[self.contest]
        groups = tuple(group.among(chosen) for group in self.groups)
        costs, likely = self.costs[kept], self.likely[kept]
        return replace(self, costs=costs, contest=self.contest[kept], likely=likely, groups=groups)

    def again(self, weights: Array) -> "Bids":
        """The same with a condition of contests drawn anew: of who came, and of what the others bid."""
        if not self.groups and self.turnout is None:
            return self  # which hangs on neither
        kind = self.kind
        if self.turnout is not None:
            presences = self.turnout.presences(weights)
            own = presences[kind.group if self.groups else 0]
            kind = replace(kind, presence=own, presences=presences if self.groups else ())
        return replace(self, kind=kind, weights=weights)

    @cached_property
    def condition(self) -> Condition:
        beyond = BEYOND_OF_GROUPS if self.groups else BEYOND
        size = len(self.costs)
        count = int(np.clip(np.pi / 2 * np.sqrt(size / beyond) - 1, 2, MOST_QUANTILES))
        if self.groups:
            return Against(self.kind, count, [Seen(group.likely, group.each(self.weights)) for group in self.groups])
        quantiles, known = spread(count), np.searchsorted(self.costs, self.edges) / max(size, 1)
        known = known[(known * size >= BEYOND) & ((1 - known) * size >= BEYOND)]
        if len(known):  # the nearest to each
            apart = np.abs(np.arcsin(np.sqrt(known)) - np.arcsin(np.sqrt(quantiles))[:, None])
            quantiles = known[np.unique(np.argmin(apart, axis=1))]
        return Condition(self.kind, quantiles)

    def bids(self, cost: Cost) -> Array:
        """`[bids]` what is likely to have been bid, from what it cost."""
        if isinstance(cost, PowerCost):
            return np.asarray(cost.bid(self.likely))
        return np.array([cost.bid(float(x)) for x in self.likely])

    def each(self, weights: Array | None = None) -> Array:
        """`[bids]` how often each counts."""
        return np.ones(len(self.costs)) if weights is None else weights[self.contest]

    def spent(self, weights: Array | None = None) -> tuple[Array, float]:
        """`[m]` the observed c(b(q))·S(q), and of how many bids; each contest counts `weights` `[contests]` times, or once."""
        costs, count = self.at_quantiles(weights)
        return costs * self.condition.paid, count

    def at_quantiles(self, weights: Array | None = None) -> tuple[Array, float]:
        """`[m]` the observed c(b(q)), as likely as they were before bids were recorded in steps, and of how many bids."""
        each = self.each(weights)
        if self.groups:
            own = Seen(self.likely, each)
            return own.cost_at(self.condition.quantiles), own.count
        if each.sum() == 0:
            return np.zeros(len(self.condition.quantiles)), 0.0
        below = np.cumsum(each)
        middle = (below - each / 2) / below[-1]
        return np.interp(self.condition.quantiles, middle, self.likely), float(below[-1])


def in_steps(bids: Array, step: float) -> tuple[Array, Array]:
    """`[bids]` what bids in order are likely to have been before they were recorded in steps; and `[k]` bids between two steps.

    How many bids lie below each end of a step is known, and between ends a smooth rising curve (Fritsch & Butland 1984) tells
    where in their step bids are likely. Bids below half a step are recorded as 0; their share rises with a power of the bid, as
    near 0 it does in equilibrium, which the next step shows.

    Returns:
        the bids and `[0]` if there is no step, or no bid.
    """
    if step == 0 or len(bids) == 0:
        return bids, np.zeros(0)
    starts = np.flatnonzero(np.diff(bids, prepend=-np.inf) > SAME * bids[-1])
    at, share = bids[starts], np.append(starts[1:], len(bids)) / len(bids)
    low, high = np.maximum(at - step / 2, 0.0), at + step / 2
    ends, below = np.stack([low, high], axis=1).ravel(), np.stack([starts / len(bids), share], axis=1).ravel()
    apart = np.diff(ends, prepend=-1.0) > SAME * bids[-1]
    ends, below = ends[apart], below[apart]
    inside = ends[:-1, None] + np.arange(INSIDE) / INSIDE * np.diff(ends)[:, None]
    inside = np.append(inside.ravel(), ends[-1])
    shares = PchipInterpolator(ends, below)(inside)
    if at[0] == 0:
        first = inside < step / 2
        power = np.log(np.interp(1.5 * step, ends, below) / share[0]) / np.log(3.0)
        shares[first] = share[0] * (inside[first] / (step / 2)) ** power if power > 0 else share[0]
    likely = np.interp((np.arange(len(bids)) + 0.5) / len(bids), np.maximum.accumulate(shares), inside)
    likely[likely < NOTHING * step] = 0.0
    return likely, ends[(below > 0) & (below < 1)]


def spread(count: int) -> Array:
    """`[count]` quantiles, equally spaced in (2/π)·arcsin √q, so that both ends are looked at closely."""
    return _quantile(np.arange(1, count + 1) / (count + 1))


def _quantile(x: Array) -> Array:
    return np.asarray(np.sin(np.pi / 2 * x) ** 2)
