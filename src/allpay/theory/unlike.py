"""Two bidders who differ, private values of any two distributions: the higher bid wins, both pay [Amann & Leininger 1996].

In quantiles: where bidder 1 at quantile p and bidder 2 at quantile s bid alike, the first-order conditions are
dx/dp = v2(s) and dx/ds = v1(p) for x, what the bid costs. So ds/v2(s) = dp/v1(p), and as both highest values bid the same,

    A1(p) = ∫_p^1 dt/v1(t) = ∫_s^1 dt/v2(t) = A2(s),        x(p) = ∫_{p0}^p v2(s(t)) dt.

If A1(0) > A2(0), bidder 1 bids 0 up to the p0 with A1(p0) = A2(0). Step functions v(t), for values that have a probability of
their own, are mixed over; two constants are the case of commonly known values. Costs are scale·b^p with one power p for both:
x is the cost over the scale, and a bidder of value v one of value v/scale.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array
from allpay.contest.values import Distribution
from allpay.errors import AllpayError, exactly
from allpay.theory.constant import Values, away_from, distribution_of, rising_values
from allpay.theory.noformula import NoFormula, check_number
from allpay.theory.quantiles import APART, Curve, breaks_of, cumulative, in_panels, legendre_rule

LEAST, LEAST_INSIDE = 1e-30, 1e-13
"""Length of the first panel: where values begin to be worth something at quantile 0, and where at another."""

RATIO = 4.0
"""From one edge to the next, towards both ends."""


@dataclass(frozen=True, eq=False)
class TwoBidders:
    """The equilibrium of two bidders; tuples are of bidder 1 and 2.

    Attributes:
        revenue: expected sum of bids.
        highest_bid: its expectation.
        revenues: what each pays.
        payoffs: of each, before it knows its value.
        wins: the chance of each to win.
        zero: the quantile up to which each bids 0.
        top_bid: of the highest value of both.
    """

    revenue: float
    highest_bid: float
    revenues: tuple[float, float]
    payoffs: tuple[float, float]
    wins: tuple[float, float]
    zero: tuple[float, float]
    top_bid: float
    _curves: tuple[Curve, Curve] = field(repr=False)

    def bid_at(self, bidder: int, q: ArrayLike) -> Array:
        """The bid of bidder 1 or 2 at quantiles `q` of its values, or of its mixture, any shape.

        Raises:
            AllpayError: if there is no such bidder.
        """
        if bidder not in (1, 2):
            raise AllpayError(f"the bidder must be 1 or 2: got {bidder}")
        q, start = np.asarray(q, float), self.zero[bidder - 1]
        curve = self._curves[bidder - 1]
        nodes, path = np.append(curve.q.ravel(), 1.0), np.concatenate([[0.0], curve.cost.ravel(), [curve.last]])
        i = np.minimum(np.searchsorted(nodes, q), len(nodes) - 1)
        cost = np.clip(curve.cost_at(np.maximum(q, start)), path[i], path[i + 1])  # between its neighbours, as it rises
        return np.asarray(np.where(q <= start, 0.0, cost) ** (1 / curve.cost_power))


def two_bidders(
    values1: Values,
    values2: Values,
    prizes: Sequence[float] = (1.0, 0.0),
    cost_power: float | tuple[float, float] = 1.0,
    cost_scales: tuple[float, float] = (1.0, 1.0),
) -> TwoBidders | NoFormula:
    """The equilibrium in nondecreasing bids; by quadrature, right to about 1e-9.

    A bidder who values the prize at 0 bids 0, and leaves the prize to a rival who values it.

    Args:
        values1, values2: of one unit of prize; a number is a value that both know.
        prizes: of the first and the second; what both get does not change bids.
        cost_power, cost_scales: costs are scale·b^power. With two different powers there is no formula.

    Raises:
        AllpayError: if a number is out of its bounds, or quantiles are not finite, ≥ 0 and nondecreasing.

    >>> from allpay.contest.values import Power, Uniform
    >>> round(two_bidders(Uniform(), Power(2)).revenue, 6)
    0.406544
    """
    amounts = tuple(check_number("a prize", a) for a in prizes)
    first, second = (*amounts, 0.0)[:2] if amounts else (0.0, 0.0)
    if len(amounts) > 2 or first <= second:
        raise AllpayError(f"prizes of two bidders must be one or two, the first above the second: got {list(amounts)}")
    powers = cost_power if isinstance(cost_power, tuple) else (cost_power, cost_power)
    power, other = (check_number("cost power", p, above=True) for p in powers)
    if power != other:
        return NoFormula(
            f"two bidders with different cost powers have no formula: got {exactly(power)} and {exactly(other)}"
        )
    scales = tuple(check_number("cost scale", c, above=True) for c in cost_scales)
    given = [distribution_of(values) for values in (values1, values2)]
    for found in given:
        if isinstance(found, NoFormula):
            return found
    one, two = (_Side(d, (first - second) / c) for d, c in zip(given, scales, strict=True))  # type: ignore[arg-type]
    plays = _Play.of(one, two, power), _Play.of(two, one, power)
    revenues, kept = zip(*((play.paid, play.kept) for play in plays), strict=True)
    rest = [second / (first - second) * side.mean for side in (one, two)]
    return TwoBidders(
        revenue=sum(revenues),
        highest_bid=sum(play.highest for play in plays),
        revenues=revenues,
        payoffs=tuple(c * (k + r) for c, k, r in zip(scales, kept, rest, strict=True)),
        wins=(plays[0].wins, plays[1].wins),
        zero=(plays[0].start, plays[1].start),
        top_bid=float(plays[0].curve.last ** (1 / power)),
        _curves=(plays[0].curve, plays[1].curve),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """One bidder: its values in units of bids' cost, and A(p) = ∫_p^1 dt/v(t).

    Attributes:
        given: the distribution.
        unit: what a value of 1 is worth, as a cost of bids.
    """

    given: Distribution
    unit: float

    def value(self, q: Array) -> Array:
        return self.unit * rising_values(self.given, q)

    @cached_property
    def breaks(self) -> Array:
        return breaks_of(self.given)

    @cached_property
    def mean(self) -> float:
        q, weight = in_panels(_graded(0.0, self.breaks))
        return float(np.sum(weight * self.value(q)))

    def worth_below(self, q: float) -> float:
        """∫_0^q v."""
        t, weight = in_panels(np.unique(np.concatenate([np.linspace(0.0, q, 65), self.breaks[self.breaks < q]])))
        return float(np.sum(weight * self.value(t)))

    @cached_property
    def worthless(self) -> float:
        """The quantile up to which values are 0, by bisection unless they jump there."""
        if float(self.value(np.array(LEAST))) > 0:
            return 0.0
        low, high = LEAST, 1.0
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (low, middle) if float(self.value(np.array(middle))) > 0 else (middle, high)
        near = self.breaks[np.abs(self.breaks - high) < 1e-12]
        return float(near[0]) if near.size else high

    @cached_property
    def edges(self) -> Array:
        """`[panels + 1]` from just above the worthless to 1."""
        return (self.worthless + _graded(self.worthless, self.breaks))[1:]

    @cached_property
    def areas(self) -> Array:
        """`[panels + 1]` A at the edges."""
        q, weight = in_panels(self.edges)
        pieces = np.sum(weight / self.value(q), -1)
        return np.append(np.cumsum(pieces[::-1])[::-1], 0.0)

    @cached_property
    def start(self) -> tuple[float, float, float]:
        """Length and value of the first edge, and α of v ∝ x^α from there down."""
        first = self.edges[0] - self.worthless
        near = self.worthless + first * np.array([1.0, RATIO])
        low, high = self.value(near)
        return first, float(low), math.log(high / low) / math.log(RATIO)

    @cached_property
    def most(self) -> float:
        """A where values begin to be worth something; infinite for values from 0 with a density there."""
        first, value, alpha = self.start
        return math.inf if alpha > 1 - 1e-9 else float(self.areas[0] + first / value / (1 - alpha))

    def area(self, p: Array) -> Array:
        """A at quantiles `p` `[...]` from the first edge on."""
        panel = np.clip(np.searchsorted(self.edges, p, side="right") - 1, 0, len(self.edges) - 2)
        half, rule = (self.edges[panel + 1] - p)[..., None] / 2, legendre_rule()
        inverse = 1 / self.unit / np.asarray(self.given.quantile(p[..., None] + half * (1 + rule.nodes)), float)
        return self.areas[panel + 1] + (half * inverse) @ rule.weights

    def where(self, area: Array) -> Array:
        """The quantiles `[...]` at which A is this, by Newton's method; where values begin if it never is."""
        area = np.asarray(area, float)
        panel = np.clip(len(self.areas) - 1 - np.searchsorted(self.areas[::-1], area), 0, len(self.areas) - 2)
        low, high = self.edges[panel], self.edges[panel + 1]
        p = low  # A is decreasing and convex, so that Newton's steps never pass the root from below
        for _ in range(60):
            step = p + (self.area(p) - area) * self.unit * np.asarray(self.given.quantile(p), float)
            p, before = np.clip(step, low, high), p
            if np.max(np.abs(p - before) / p, initial=0.0) < 1e-8:  # the next step would be its square
                break
        return np.where(area > self.areas[0], self._below(area), np.where(area <= 0, 1.0, p))

    def _below(self, area: Array) -> Array:
        """Quantiles below the first edge, where v is a power of the distance from the worthless."""
        first, value, alpha = self.start
        excess = np.maximum(area - self.areas[0], 0.0) * value / first
        if abs(alpha - 1) < 1e-9:
            return np.asarray(self.worthless + first * np.exp(-excess))
        return np.asarray(self.worthless + first * np.maximum(1 - (1 - alpha) * excess, 0.0) ** (1 / (1 - alpha)))


@dataclass(frozen=True, eq=False)
class _Play:
    """What one of them does, in integrals over its own quantiles.

    Attributes:
        start: the quantile up to which it bids 0.
        curve: what its bids cost, over the scale.
        paid, wins: expected bid, chance to win.
        kept: expected payoff over the scale, without what both get.
        highest: the part of the expected highest bid that is its own.
    """

    start: float
    curve: Curve
    paid: float
    wins: float
    kept: float
    highest: float

    @classmethod
    def of(cls, own: _Side, rival: _Side, power: float) -> "_Play":
        start = float(own.where(np.array(rival.most))) if own.most > rival.most else own.worthless
        lowest = float(rival.where(np.array(own.most))) if rival.most > own.most else rival.worthless
        jumps = rival.breaks[rival.breaks > lowest]
        images = own.where(rival.area(jumps)) if jumps.size else jumps
        edges = _graded(start, np.concatenate([own.breaks, images]))
        x, weight = in_panels(edges)
        p = start + x
        beaten = np.clip(rival.where(own.area(np.maximum(p, own.edges[0]))), lowest, 1.0)
        cost, top = cumulative(edges, rival.value(np.sort(beaten, None).reshape(p.shape)))
        cost = np.maximum.accumulate(np.maximum(cost.ravel(), 0.0)).reshape(p.shape)  # it rises, but for rounding
        bid = cost ** (1 / power)
        curve = Curve(start + edges, cost, 0.0, top, power)
        wins, kept = float(np.sum(weight * beaten)), float(np.sum(weight * (own.value(p) * beaten - cost)))
        if lowest > 0 and start > 0:  # both may bid 0
            alone = (own.worthless < start) + 0.5 * (own.worthless == start and rival.worthless == lowest)
            wins += alone * start * lowest
            kept += lowest * own.worth_below(start)
        return cls(
            start,
            curve,
            float(np.sum(weight * bid)),
            wins,
            kept,
            float(np.sum(weight * bid * beaten)),
        )


def _graded(start: float, breaks: Array) -> Array:
    """`[panels + 1]` edges from 0 to 1 − start, ever closer towards both, and at `breaks − start` where that is between."""
    length = 1 - start
    least = LEAST if start == 0 else LEAST_INSIDE
    low = length * RATIO ** -np.arange(1.0, math.log(length / least, RATIO))
    high = length * (1 - RATIO ** -np.arange(1.0, 20.0))
    middle = length * np.linspace(0.0, 1.0, 17)
    edges = np.unique(np.concatenate([low, high, middle]))
    inside = np.unique(breaks[(breaks > start + APART) & (breaks < 1 - APART)]) - start
    edges = edges[away_from(inside, edges, APART)]
    return np.unique(np.concatenate([[0.0], edges, inside, [length]]))
