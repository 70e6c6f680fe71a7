"""The highest bid wins among bidders who know each other's values, and all pay: mixed strategies by formula.

Bids are counted by what they cost, x = b^p: a bidder of value v and cost scale·b^p bids as one of value v/scale whose cost is
x.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array
from allpay.errors import AllpayError
from allpay.theory.noformula import check_count, check_number, check_numbers


@dataclass(frozen=True, eq=False)
class KnownValues:
    """The equilibrium in which the two strongest bid.

    Attributes:
        active: the positions of the stronger and of the weaker of the two.
        revenue: expected sum of bids.
        highest_bid: its expectation.
        mean_bids, payoffs, wins, entry: `[bidders]` each one's expected bid, payoff, chance to win, chance of a bid above 0.
        top_bid: the highest bid that is made.
        unique: whether this is the only equilibrium; where the second and the third are alike there are others. Payoffs are
            the same in all; revenue is too if the strongest is like them and the cost linear, else it need not be (Baye,
            Kovenock & de Vries 1996).
    """

    active: tuple[int, int]
    revenue: float
    highest_bid: float
    mean_bids: Array
    payoffs: Array
    wins: Array
    entry: Array
    top_bid: float
    unique: bool
    _power: float

    def bid_below(self, bidder: int, bid: ArrayLike) -> Array:
        """The chance that this bidder bids at most `bid`, any shape: 1 − entry at a bid of 0."""
        paid = (np.clip(np.asarray(bid, float), 0.0, self.top_bid) / self.top_bid) ** self._power
        return np.asarray(np.where(np.asarray(bid) < 0, 0.0, 1 - self.entry[bidder] * (1 - paid)))

    def bid_at(self, bidder: int, q: ArrayLike) -> Array:
        """The bid at quantiles `q` of this bidder's mixture, any shape."""
        entry = self.entry[bidder]
        paid = np.maximum(np.asarray(q, float) - (1 - entry), 0.0) / (entry if entry > 0 else 1.0)
        return np.asarray(self.top_bid * paid ** (1 / self._power))


def known_values(
    values: Sequence[float], cost_power: float = 1.0, cost_scales: Sequence[float] | None = None, prize: float = 1.0
) -> KnownValues:
    """The winner takes the prize, everybody pays (Hillman & Riley 1989; Baye, Kovenock & de Vries 1996).

    With w1 ≥ w2 ≥ … the values of the prize over the cost scales, the strongest bids with cost uniform on [0, w2], the second
    nothing with probability 1 − w2/w1 and else the same, and no other bids. Payoffs are w1 − w2 and 0, times the scale. With a
    linear cost revenue is w2/2 + w2²/(2 w1) and the highest bid w2/2 + w2²/(6 w1).

    Args:
        values: at least two, each above 0, in any order.
        cost_power, cost_scales: costs are scale·b^power, with one power for all.
        prize: how many units of value the winner gets.

    Raises:
        AllpayError: if a number is out of its bounds.

    >>> round(known_values((1, 0.8, 0.5)).revenue, 9)
    0.72
    """
    worth, scales = _worth(values, cost_scales, prize)
    power = check_number("cost power", cost_power, above=True)
    order = np.argsort(-worth, kind="stable")
    strong, weak = int(order[0]), int(order[1])
    high, low = worth[strong], worth[weak]
    entry, wins, payoffs = np.zeros((3, len(worth)))
    entry[strong], entry[weak] = 1.0, low / high
    wins[weak] = low / (2 * high)
    wins[strong] = 1 - wins[weak]
    payoffs[strong] = scales[strong] * (high - low)
    top = low ** (1 / power)
    mean_bids = entry * top * power / (power + 1)
    # the highest bid has distribution (1 − w2/w1) t + (w2/w1) t² in t = x/w2
    highest = top * power * ((1 - low / high) / (power + 1) + 2 * (low / high) / (2 * power + 1))
    alike = len(worth) > 2 and worth[order[2]] == low
    return KnownValues(
        (strong, weak), float(mean_bids.sum()), float(highest), mean_bids, payoffs, wins, entry, top, not alike, power
    )


def identical_prizes(
    values: Sequence[float], prizes: int, cost_power: float = 1.0, cost_scales: Sequence[float] | None = None
) -> Array:
    """`[bidders]` expected payoffs with m identical prizes of one unit of value: max(v_i − v_{m+1}, 0), v falling in i.

    Clark & Riis 1998 for linear costs; Siegel 2009 (theorem 1) for any, where a bidder's payoff is what it keeps at the highest
    bid that the (m+1)th would make for the prize: v_i − scale_i·w_{m+1}, with w = v/scale. Where others are as strong as the
    (m+1)th, some equilibrium has these payoffs.

    Raises:
        AllpayError: if a number is out of its bounds.

    >>> identical_prizes((1, 0.8, 0.5), 2)
    array([0.5, 0.3, 0. ])
    """
    worth, scales = _worth(values, cost_scales, 1.0)
    check_number("cost power", cost_power, above=True)
    m = check_count("the number of prizes", prizes, 1)
    marginal = np.sort(worth)[::-1][m] if m < len(worth) else 0.0  # a prize for everybody: nobody has to bid
    return scales * np.maximum(worth - marginal, 0.0)


@dataclass(frozen=True)
class Exclusion:
    """Whom to leave out.

    Attributes:
        excluded: the positions of those to leave out, the strongest of all.
        revenue: without them.
        revenue_of_all: with everybody.
    """

    excluded: tuple[int, ...]
    revenue: float
    revenue_of_all: float


def exclusion(
    values: Sequence[float], cost_power: float = 1.0, cost_scales: Sequence[float] | None = None
) -> Exclusion:
    """How many of the strongest to leave out so that the others pay most (Baye, Kovenock & de Vries 1993).

    Revenue of the two strongest that are left is (1 + w_{i+1}/w_i)·w_{i+1}^{1/p}·p/(p+1), in falling order.

    Raises:
        AllpayError: if a number is out of its bounds.

    >>> exclusion((10, 4, 4))
    Exclusion(excluded=(0,), revenue=4.0, revenue_of_all=2.8)
    """
    worth, _ = _worth(values, cost_scales, 1.0)
    power = check_number("cost power", cost_power, above=True)
    order = np.argsort(-worth, kind="stable")
    falling = worth[order]
    revenue = (1 + falling[1:] / falling[:-1]) * falling[1:] ** (1 / power) * power / (power + 1)
    best = int(np.argmax(revenue))
    return Exclusion(tuple(int(i) for i in order[:best]), float(revenue[best]), float(revenue[0]))


def _worth(values: Sequence[float], cost_scales: Sequence[float] | None, prize: float) -> tuple[Array, Array]:
    """Values of the prize over cost scales, and the scales."""
    v = np.array(check_numbers("values", values, above=True)) * check_number("the prize", prize, above=True)
    if len(v) < 2:
        raise AllpayError(f"values must be those of at least 2 bidders: got {len(v)}")
    scales = np.ones_like(v) if cost_scales is None else np.array(check_numbers("cost scales", cost_scales, above=True))
    if len(scales) != len(v):
        raise AllpayError(f"cost scales must be one for each value: got {len(scales)} for {len(v)} values")
    return v / scales, scales
