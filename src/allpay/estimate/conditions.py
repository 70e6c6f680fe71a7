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
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from allpay.contest.preferences import Cost
from allpay.contest.values import bernstein
from allpay.theory.field import Rivals

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

MOST_QUANTILES = 60
"""Into so many quantiles the bids of one kind of contest are summed up at most."""

BEYOND = 3.0
"""So many bids are expected below the lowest of these quantiles, and above the highest: extremes are no bridge."""

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
    """

    bidders: int
    prizes: tuple[float, ...]
    payments: tuple[float, ...] = (1.0,)
    rest: float = 1.0
    presence: float = 1.0


class Condition:
    """The equilibrium condition of one kind of contest at fixed quantiles.

    Attributes:
        quantiles: `[m]`, equally spaced in (2/π)·arcsin √q, so that both ends are looked at closely.
        nodes: `[m, NODES]` quantiles between them, and below the first.
        mass: `[m, NODES]` of Π at the nodes.
        paid: `[m]` S.
    """

    def __init__(self, kind: Kind, count: int) -> None:
        ends = np.arange(count + 1) / (count + 1)
        points, weights = np.polynomial.legendre.leggauss(NODES)
        x = ends[:-1, None] + (points + 1) / (2 * (count + 1))
        rivals = Rivals.of(kind.bidders, kind.presence)
        self.quantiles = _quantile(ends[1:])
        self.nodes = _quantile(x)
        step = weights / (2 * (count + 1)) * (np.pi / 2) * np.sin(np.pi * x)
        prizes = np.array(kind.prizes)
        self.mass = step * (rivals.rank_slopes(self.nodes, len(prizes)) @ prizes)
        self._slope = rivals.rank_slopes(self.quantiles, len(prizes)) @ prizes
        extra = np.array(kind.payments) - kind.rest
        self.paid = kind.rest + rivals.rank_chances(self.quantiles, len(extra)) @ extra
        self._paid_slope = rivals.rank_slopes(self.quantiles, len(extra)) @ extra
        self._curves: dict[int, Array] = {}
        self._root = np.sqrt(np.diff(np.concatenate([[0.0], self.quantiles, [1.0]])))

    def spent(self, values: Array) -> Array:
        """∫₀^q v dΠ at the quantiles, `[m, …]`, of values `[m, NODES, …]` at the nodes."""
        return np.asarray(np.cumsum(np.einsum("mk,mk...->m...", self.mass, values), axis=0))

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


@dataclass(frozen=True, eq=False)
class Bids:
    """The bids of all contests of one kind.

    Attributes:
        kind: of which.
        costs: `[bids]` what each cost where it was paid in full, increasing.
        contest: `[bids]` in which contest it was.
    """

    kind: Kind
    costs: Array
    contest: Whole

    @classmethod
    def of(cls, kind: Kind, bids: Array, contest: Whole, cost: Cost) -> "Bids":
        order = np.argsort(bids, kind="stable")
        return cls(kind, np.asarray(cost.cost(bids[order])), contest[order])

    def among(self, chosen: NDArray[np.bool_]) -> "Bids":
        """Those of the contests that are chosen `[contests]`; with fewer quantiles, as there are fewer bids."""
        kept = chosen[self.contest]
        return Bids(self.kind, self.costs[kept], self.contest[kept])

    @cached_property
    def condition(self) -> Condition:
        count = np.pi / 2 * np.sqrt(len(self.costs) / BEYOND) - 1
        return Condition(self.kind, int(np.clip(count, 2, MOST_QUANTILES)))

    def spent(self, weights: Array | None = None) -> tuple[Array, float]:
        """`[m]` the observed c(b(q))·S(q), and of how many bids; each contest counts `weights` `[contests]` times, or once."""
        each = np.ones(len(self.costs)) if weights is None else weights[self.contest]
        below = np.cumsum(each)
        if below[-1] == 0:
            return np.zeros(len(self.condition.quantiles)), 0.0
        at = np.interp(self.condition.quantiles, (below - each / 2) / below[-1], self.costs)
        return at * self.condition.paid, float(below[-1])


def _quantile(x: Array) -> Array:
    return np.asarray(np.sin(np.pi / 2 * x) ** 2)
