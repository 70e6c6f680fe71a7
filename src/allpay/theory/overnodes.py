"""Objectives that are sums over quantiles of what bids cost there, where those costs are linear in the prizes.

So they are with risk-neutral bidders who all pay, as long as the same bidders enter under every design. With a convex cost such
a sum is concave in the prizes wherever it counts no bid below 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allpay.concave import Concave
from allpay.contest.game import Array
from allpay.contest.preferences import PowerCost
from allpay.theory.effort import Cost
from allpay.theory.pooling import FALLS

LEAST = 1e-290
"""Of bids that cost less the derivatives may be above all numbers, and have no weight."""

STEP = 1e-3
"""By so much of a bid the marginal cost is taken on either side of it, to see how it bends."""

LEVELS = 1001
"""At so many bids a cost is asked whether it is convex."""

NOISE = 1e-6
"""By so much of it a marginal cost that is a difference of costs may fall, and the cost count as convex."""


@dataclass(frozen=True)
class Inverse:
    """The bid b as a function of what it costs, c.

    Attributes:
        curve: from costs c ≥ 0, any shape, to b, db/dc and c² d²b/dc²; at c = 0 they are 0 where they have no bound.
        concave, convex: whether it is so; a line is both.
    """

    curve: Callable[[Array], tuple[Array, Array, Array]]
    concave: bool
    convex: bool


def inverse_of(cost: Cost, most: float) -> Inverse:
    """The inverse of a cost of bids that cost at most so much."""
    if isinstance(cost, PowerCost):
        return Inverse(lambda c: _of_power(cost, c), concave=cost.power >= 1, convex=cost.power <= 1)
    slopes = cost.slope(np.linspace(0.0, float(cost.bid(np.array(most))), LEVELS)[1:])
    rises, room = np.diff(slopes), NOISE * slopes[:-1]
    return Inverse(lambda c: _of_any(cost, c), bool(np.all(rises >= -room)), bool(np.all(rises <= room)))


def _of_power(cost: PowerCost, c: Array) -> tuple[Array, Array, Array]:
    bid, power = cost.bid(c), 1.0 / cost.power
    if power == 1:
        return bid, np.full_like(c, 1.0 / cost.scale), np.zeros_like(c)
    some = c > LEAST
    return bid, np.where(some, power * bid / np.where(some, c, 1.0), 0.0), power * (power - 1.0) * bid


def _of_any(cost: Cost, c: Array) -> tuple[Array, Array, Array]:
    """By the inverse function theorem; how the marginal cost moves is a difference, and so right to some digits only."""
    bid = cost.bid(c)
    marginal = cost.slope(bid)
    slope = np.where(marginal > 0, 1.0 / np.where(marginal > 0, marginal, 1.0), 0.0)
    apart = STEP * np.maximum(bid, STEP)
    low, high = np.maximum(bid - apart, 0.0), bid + apart
    bend = (cost.slope(high) - cost.slope(low)) / (high - low)
    return bid, slope, -bend * slope * (slope * c) ** 2


def over_nodes(by_falls: Array, counted: Array, inverse: Inverse, linear: Array) -> Concave | None:
    """Σ_i counted_i b(c_i) + linear·w with c = by_falls·(w_k − w_{k+1}), as a function of w; None if not known as concave.

    Args:
        by_falls: `[nodes, n]`, by increasing quantile; of the last rank, its prize itself.
        counted: `[nodes]`.
        inverse: the bid as a function of its cost.
        linear: `[n]`.
    """
    concave = (inverse.concave and np.all(counted >= 0)) or (inverse.convex and np.all(counted <= 0))
    return Concave(by_falls, counted, inverse.curve, linear, FALLS) if concave else None
