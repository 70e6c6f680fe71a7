"""The numerics beneath the equilibria: integrals, curves and differential equations over quantiles.

Panels of Gauss–Legendre nodes over q in [0, 1], so short that what is integrated is smooth in each. No game, no equilibrium.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array
from allpay.contest.values import Distribution, values_at
from allpay.errors import AllpayError
from allpay.theory.ranks import TINY, Odds, Ranks

NODES = 16
"""Gauss–Legendre nodes in each panel."""

STEP = 5.0
"""The most that ln Π or ln S may change within a panel: 16 nodes then integrate to about 1e-10."""

END = 1e-6
"""Length of the first and the last panel."""

DEEP = 10
"""How many more panels, each a quarter of the next, lead to 0 where a differential equation is singular there."""

SHORTEST = 1e-15
"""The least length of the last one; quantiles nearer to 1 are not told apart well enough."""

ROUNDS = 12
"""How often jumps are looked for: each time one is found in every interval between those that are known."""

SMOOTH = 9
"""After so many halvings an interval whose values are smooth has lost most of their rise."""

JUMP = 1 / 32
"""The part of the rise of values within a four-hundredth of all quantiles that a jump must have to be found."""

SMALLEST = 1e-9
"""The part of the whole rise of values that a jump must have to count."""

BELOW_ONE = float(np.nextafter(1.0, 0.0))
"""The highest quantile at which a value is asked for; the highest value itself may be infinite."""

MOST_BREAKS = 100_000
"""So many breaks × ranks the values of a game may have at most; each takes a panel, and each of several tables 128 bytes."""

APART = 1e-9
"""Edges of panels nearer than this to a break of the values give way to it."""


def declared_breaks(given: Distribution) -> Array:
    """`[jumps]` the quantiles at which a distribution says that its quantile function jumps or has a kink.

    Raises:
        AllpayError: if they are not numbers between 0 and 1, increasing.
    """
    try:
        found = np.atleast_1d(np.asarray(getattr(given, "breaks", ()), float))
    except (TypeError, ValueError):
        found = np.array([np.nan])
    if not (found.ndim == 1 and np.all((found > 0) & (found < 1)) and np.all(np.diff(found) > 0)):
        raise AllpayError(f"the breaks of {given} must be quantiles between 0 and 1, increasing: got {found.tolist()}")
    return found


def breaks_of(given: Distribution) -> Array:
    """`[jumps]` the quantiles that a distribution declares, and those at which its quantile function is found to jump.

    Raises:
        AllpayError: as `declared_breaks`, and if the quantile function is not finite, ≥ 0 and nondecreasing.
    """
    settings = getattr(given, "__dataclass_params__", None)
    if settings is not None and settings.frozen:
        frozen: Any = given
        try:
            return _breaks_of_frozen(frozen)
        except TypeError:  # a field that cannot be hashed
            pass
    return _search_breaks(given)


@lru_cache(maxsize=256)
def _breaks_of_frozen(given: Any) -> Array:
    """Those of a distribution that cannot change."""
    found = _search_breaks(given)
    found.setflags(write=False)
    return found


def _search_breaks(given: Distribution) -> Array:
    """Declared breaks, and jumps between them, found by bisection until no interval between two has one."""
    found = declared_breaks(given)
    ends = 10.0 ** np.arange(-12, -2)
    grid = np.unique(np.concatenate([ends, np.linspace(0, 1, 401)[1:-1], 1 - ends]))
    for _ in range(ROUNDS):
        more = _jumps(given, np.union1d(grid, found), found)
        if not more.size:
            break
        found = np.union1d(found, more)
    return found


def _jumps(given: Distribution, edges: Array, known: Array) -> Array:
    """One jump within each interval that has one, as the first quantile that belongs to the values after it.

    Each interval is halved again and again, and the half kept across which values rise more. Where they are smooth their rise
    halves too, and after a few steps little of it is left; a jump stays as it is.
    """
    inset = np.where(np.isin(edges, known), 1e-12, 0.0)
    left, right = edges[:-1] + inset[:-1], edges[1:] - inset[1:]
    apart = left < right
    left, right = left[apart], right[apart]
    low, high = _rising(given, np.stack([left, right], -1).ravel()).reshape(-1, 2).T
    if not left.size:
        return left
    least = np.maximum((high - low) * JUMP, (high.max() - low.min()) * SMALLEST)
    for step in range(64):
        if step == SMOOTH:
            kept = high - low > least
            left, right, low, high, least = (x[kept] for x in (left, right, low, high, least))
        if not left.size:
            break
        middle = (left + right) / 2
        at = np.clip(_rising(given, middle), low, high)
        above = high - at > at - low
        left, low = np.where(above, middle, left), np.where(above, at, low)
        right, high = np.where(above, right, middle), np.where(above, high, at)
    return right[high - low > least]


def _rising(given: Distribution, q: Array) -> Array:
    """The values at increasing quantiles, also where rounding makes one fall; they are checked elsewhere."""
    return np.maximum.accumulate(np.asarray(given.quantile(q.copy()), float))


def has_atoms(given: Distribution) -> bool:
    """Whether the quantile function is flat somewhere; the ends are left out, where rounding may make it so."""
    return bool(np.any(np.diff(values_at(given, np.linspace(0.01, 0.99, 393))) == 0))


def values_below(given: Distribution, q: Array) -> Array:
    """The values just below quantiles `q`, which differ from those at `q` where values jump."""
    return values_at(given, q * (1 - 1e-12))


# Quadrature -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """Gauss–Legendre on [−1, 1]: `integrate[i, j]` gives the integral from −1 to node i of the interpolant at the nodes."""

    nodes: Array
    weights: Array
    integrate: Array
    barycentric: Array


@lru_cache(maxsize=1)
def legendre_rule() -> Rule:
    legendre = np.polynomial.legendre
    nodes, weights = legendre.leggauss(NODES)
    antiderivatives = np.stack([legendre.legval(nodes, legendre.legint(e, lbnd=-1)) for e in np.eye(NODES)], -1)
    integrate = antiderivatives @ np.linalg.inv(legendre.legvander(nodes, NODES - 1))
    barycentric = np.asarray((-1.0) ** np.arange(NODES) * np.sqrt((1 - nodes**2) * weights), float)
    return Rule(nodes, weights, integrate, barycentric)


def interpolation(x: ArrayLike) -> Array:
    """`[..., nodes]` what the values at the nodes count in the polynomial through them, at `x` in [−1, 1] (barycentric)."""
    rule = legendre_rule()
    distance = np.asarray(x, float)[..., None] - rule.nodes
    pull = rule.barycentric / np.where(distance == 0, TINY, distance)
    return pull / pull.sum(-1, keepdims=True)


def interpolation_slope(x: float) -> Array:
    """`[nodes]` what the values at the nodes count in the slope of the polynomial through them, at `x` in [−1, 1]."""
    legendre, rule = np.polynomial.legendre, legendre_rule()
    slopes = legendre.legval(x, legendre.legder(np.eye(NODES)))
    return np.asarray(slopes @ np.linalg.inv(legendre.legvander(rule.nodes, NODES - 1)))


@dataclass(frozen=True)
class Panels:
    """Quantiles for integration from 0 to 1.

    Attributes:
        edges: `[panels + 1]`, from 0 to 1.
        q: `[panels, nodes]`.
        rest: `[panels, nodes]` 1 − q, to more digits than q itself tells where that is near 1.
        weight: `[panels, nodes]`, summing to 1.
        odds: at q.
        log_gain_at_edges: `[panels + 1]` ln(Π − a_n).
    """

    edges: Array
    q: Array
    rest: Array
    weight: Array
    odds: Odds
    log_gain_at_edges: Array


def cumulative(edges: Array, f: Array) -> tuple[Array, float]:
    """∫₀^q f at the nodes of panels, and over all of [0, 1]; `f` is `[panels, nodes]`."""
    half, rule = np.diff(edges)[:, None] / 2, legendre_rule()
    whole = np.concatenate([[0.0], np.cumsum(half[:, 0] * (f @ rule.weights))])
    return whole[:-1, None] + half * (f @ rule.integrate.T), float(whole[-1])


def cumulative_back(edges: Array, g: Array) -> Array:
    """The transpose of `cumulative`: dJ/df where g = dJ/d(∫₀^q f), both `[panels, nodes]`."""
    half, rule = np.diff(edges)[:, None] / 2, legendre_rule()
    later = np.append(np.cumsum(g.sum(-1)[::-1])[::-1][1:], 0.0)
    return half * (later[:, None] * rule.weights + g @ rule.integrate)


def base_edges(n: int, last: float = END, deep: int = 0) -> Array:
    """Edges that resolve a binomial of n trials (equal steps of arcsin √q) and powers of q and 1−q at the ends."""
    angles = np.linspace(0.0, np.pi, 1 + max(8, math.ceil(np.pi * math.sqrt(n) / 2.5)))
    low = END * 4.0 ** np.arange(-deep, 9)
    high = last * 4.0 ** np.arange(9 + math.ceil(math.log(END / last, 4)))
    return np.unique(np.concatenate([[0.0, 1.0], np.sin(angles[1:-1] / 2) ** 2, low, 1 - high]))


def edges_for(
    n: int, given: Distribution | None = None, rho: float = 0.0, also: ArrayLike = (), deep: int = 0
) -> Array:
    """Edges for n bidders, where values jump too, and ever closer to where they cease to be 0: there bids begin to rise.

    Args:
        n: number of bidders.
        given: the distribution of private values.
        rho: the risk aversion of their bidders; at quantile 1 what bids are worth changes within e^{−ρv} of it.
        also: quantiles in (0, 1) where there must be an edge.
        deep: how many panels more lead to 0.
    """
    last, jumps = END, np.array([])
    if given is not None:
        most = float(values_at(given, np.array(1 - END / 4)))  # the highest value itself may be infinite
        last, jumps = max(min(math.exp(-rho * most) / 30, END), SHORTEST), breaks_of(given)
    edges = base_edges(n, last, deep)
    breaks = np.union1d(jumps, also)
    if not breaks.size:
        return edges
    if given is not None:
        worthless = jumps[values_below(given, jumps) == 0][-1:, None]
        edges = np.append(edges, worthless + (1 - worthless) * END * 4.0 ** np.arange(9))
    nearest = breaks[np.minimum(np.searchsorted(breaks, edges), len(breaks) - 1)]
    before = breaks[np.maximum(np.searchsorted(breaks, edges) - 1, 0)]
    apart = np.minimum(np.abs(edges - nearest), np.abs(edges - before)) > APART
    return np.unique(np.concatenate([[0.0, 1.0], edges[apart], breaks]))


def panels_for(ranks: Ranks, given: Distribution | None = None, rho: float = 0.0, also: ArrayLike = ()) -> Panels:
    """Panels so short that none of Π, S and private values changes by more than a factor e⁵ in one, the first apart.

    Arguments as in `edges_for`.
    """
    deep = DEEP if given is not None and rho > 0 and np.any(ranks.paid != ranks.paid[0]) else 0
    if rho > 0:
        rho *= float(ranks.paid.max() / ranks.paid[0])  # what a loser may pay of the winner's bid
    edges = edges_for(ranks.n, given, rho, also, deep)
    inside = 1 - END / 4  # the highest value itself may be infinite
    for _ in range(8):
        odds = ranks.odds(edges)
        change = np.maximum(np.abs(np.diff(odds.log_gain)), np.abs(np.diff(odds.log_paid)))
        if given is not None:
            width = np.diff(edges)
            ends = np.stack([edges[:-1] + width / 1000, edges[1:] - width / 1000], -1)  # values may jump at the edges
            log_values = np.log(np.maximum(values_at(given, np.minimum(ends, inside)), TINY))
            change = np.maximum(change, log_values[:, 1] - log_values[:, 0])
        pieces = np.ceil(change / STEP).astype(int).clip(1)
        pieces[0] = 1
        if np.all(pieces == 1):
            break
        ratio = np.log(edges[2:] / edges[1:-1])
        start = np.repeat(np.arange(1, len(edges) - 1), pieces[1:])
        piece = np.concatenate([np.arange(m) for m in pieces[1:]])
        inner = edges[start] * np.exp(ratio[start - 1] * piece / pieces[start])
        edges = np.concatenate([[0.0], inner, [1.0]])
    (q, weight), rest = in_panels(edges), rest_in_panels(edges)
    return Panels(edges, q, rest, weight, ranks.odds(q, rest), ranks.odds(edges).log_gain)


def in_panels(edges: Array) -> tuple[Array, Array]:
    """Quantiles, all below 1, and their weights, each `[panels, nodes]`."""
    half, rule = np.diff(edges)[:, None] / 2, legendre_rule()
    return np.minimum(edges[:-1, None] + half * (1 + rule.nodes), BELOW_ONE), half * rule.weights


def rest_in_panels(edges: Array) -> Array:
    """1 − q at the same quantiles, from the right edge of each panel, so that it has all digits also next to 1."""
    half, rule = np.diff(edges)[:, None] / 2, legendre_rule()
    return (1 - edges[1:, None]) + half * (1 - rule.nodes)


@dataclass(frozen=True)
class Curve:
    """The cost of the bid at every quantile, and so the bid.

    Attributes:
        edges: `[panels + 1]` of the panels.
        cost: `[panels, nodes]` at their nodes.
        first, last: at quantiles 0 and 1.
        cost_power: p of the cost b^p.
    """

    edges: Array
    cost: Array
    first: float
    last: float
    cost_power: float

    @property
    def q(self) -> Array:
        """`[panels, nodes]`."""
        return in_panels(self.edges)[0]

    def bid(self, q: Array) -> Array:
        """The bid at quantiles `q`, any shape."""
        return np.maximum(self.cost_at(q), 0.0) ** (1.0 / self.cost_power)

    def cost_at(self, q: Array) -> Array:
        """Its cost at quantiles `q`, any shape, by interpolation through the nodes of each quantile's panel."""
        panel = np.clip(np.searchsorted(self.edges, q, side="right") - 1, 0, len(self.cost) - 1)
        left, right = self.edges[panel], self.edges[panel + 1]
        smooth = np.sum(interpolation((2 * q - left - right) / (right - left)) * self.cost[panel], -1)
        # a curve may be steep without bound at either end, where no polynomial follows it
        nodes = np.concatenate([[0.0], self.q.ravel(), [1.0]])
        straight = np.interp(q, nodes, np.concatenate([[self.first], self.cost.ravel(), [self.last]]))
        return np.where((panel == 0) | (panel == len(self.cost) - 1), straight, smooth)


@lru_cache(maxsize=1)
def laguerre_rule() -> tuple[Array, Array]:
    """Nodes and weights of Gauss–Laguerre, `[nodes]` each."""
    return np.polynomial.laguerre.laggauss(NODES)


def mean_under_power(given: Distribution, q: Array, power: int, bend: float = 0.0) -> Array:
    """The mean value below quantiles `q` weighted by d(q^power): ∫₀^∞ v(q·e^{−t/power}) e^{−t} dt by Gauss–Laguerre.

    It converges fast for quantile functions that start as any power of q, and rises with q whatever they are.

    Args:
        bend: κ of the exponential mean, ln(mean of e^{κv})/κ, which is taken where it is not 0.
    """
    t, weights = laguerre_rule()
    values = np.asarray(given.quantile(q[:, None] * np.exp(-t / power)), float)
    return values @ weights if bend == 0 else np.log1p(np.expm1(bend * values) @ weights) / bend


def means_below(given: Distribution, values: Array, ranks: Ranks, panels: Panels) -> tuple[Array, float]:
    """∫₀^q v dΠ over Π(q) − a_n: the mean of the values below q, weighted by dΠ; at the nodes of panels, and at 1.

    It lies between the lowest value and v(q), so that it can be found to many digits also where Π and S underflow.
    """
    odds, q, edges, log_edge, rule = panels.odds, panels.q, panels.edges, panels.log_gain_at_edges, legendre_rule()
    # Π′/(Π − a_n)
    rate = (odds.relative[..., : ranks.top] @ ranks.falls) / (q * np.exp(odds.log_gain - odds.log_scale))
    grown = np.exp(odds.log_gain - log_edge[1:, None])  # Π − a_n, relative to the panel's right edge
    half = np.diff(edges)[:, None] / 2
    partial = half * ((values * rate * grown) @ rule.integrate.T)
    whole = half[:, 0] * ((values * rate * grown) @ rule.weights)
    # in the first panel Π − a_n is a power of q
    average = mean_under_power(given, np.append(q[0], edges[1]), ranks.n - 1 - int(np.max(np.nonzero(ranks.gains)[0])))
    lowest = float(values_at(given, 0.0))
    mean = np.empty_like(edges)
    mean[:2] = lowest, average[-1]
    for i in range(1, len(whole)):
        mean[i + 1] = mean[i] * math.exp(log_edge[i] - log_edge[i + 1]) + whole[i]
    below = np.empty_like(q)
    below[0] = average[:-1]
    below[1:] = mean[1:-1, None] * np.exp(log_edge[1:-1, None] - odds.log_gain[1:]) + partial[1:] / grown[1:]
    return np.clip(below, lowest, values), float(mean[-1])


def collocate(
    edges: Array, first: float, slope: Callable[[int, Array], tuple[Array, Array]]
) -> tuple[Array, float] | str:
    """Solve c′ = f(q, c), c(0) = first, by collocation at the nodes of one panel after the other.

    Collocation at Gauss nodes is implicit and never evaluates q = 0, where the equation may be singular.

    Args:
        edges: `[panels + 1]`.
        first: c at 0.
        slope: f and ∂f/∂c at the nodes `[nodes]` of panel i, given c there.

    Returns:
        c at the nodes `[panels, nodes]` and at 1, or what is wrong.
    """
    rule = legendre_rule()
    found, left = np.empty((len(edges) - 1, NODES)), first
    for i, half in enumerate(np.diff(edges) / 2):
        c = np.full(NODES, left)
        for _ in range(50):
            with np.errstate(all="ignore"):  # a step too far is seen below
                f, df = slope(i, c)
                jacobian = np.eye(NODES) - half * rule.integrate * df
                if not (np.all(np.isfinite(f)) and np.all(np.isfinite(jacobian))):
                    return "has no solution in finite bids"
                step = np.linalg.solve(jacobian, c - left - half * rule.integrate @ f)
            c = c - step
            if np.max(np.abs(step)) <= 1e-9 * np.max(np.abs(c)) + TINY:  # the next step would be its square
                break
        else:
            return "could not be solved for these values and this risk aversion"
        found[i] = c
        left = float(left + half * rule.weights @ slope(i, c)[0])
    return found, left


def collocate_back(edges: Array, slope_in_c: Array, g: Array) -> tuple[Array, float]:
    """The transpose of `collocate`, linear at its solution.

    Args:
        edges: `[panels + 1]`.
        slope_in_c: `[panels, nodes]` ∂f/∂c there.
        g: `[panels, nodes]` dJ/dc.

    Returns:
        dJ/df `[panels, nodes]`, f as a function of all but c, and dJ/dc(0).
    """
    rule, by_slope, right = legendre_rule(), np.empty_like(g), 0.0
    for i in range(len(g) - 1, -1, -1):
        half = (edges[i + 1] - edges[i]) / 2
        ahead = right * half * rule.weights
        pull = np.linalg.solve((np.eye(NODES) - half * rule.integrate * slope_in_c[i]).T, g[i] + ahead * slope_in_c[i])
        by_slope[i] = half * (pull @ rule.integrate) + ahead
        right += float(pull.sum())
    return by_slope, right
