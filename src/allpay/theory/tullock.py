"""Tullock contests: the chance to win is in proportion to bid^r, further ranks are drawn in turn among the rest.

Pure equilibria by formula. Bids are counted by what they cost, y = b^p: bid^r is then y^(r/p) and the cost linear, so that a
bidder of value v and cost scale·b^p, under r, bids as one of value v/scale with a linear cost, under r/p. Among bidders who all
bid 0 ranks are drawn at random.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allpay.contest.game import Array
from allpay.errors import AllpayError
from allpay.theory.field import NO_CHANCE, Rivals
from allpay.theory.noformula import NoFormula, check_falling, check_number, check_numbers

GAINS = 1e-9
"""The part of the stakes that a deviation may gain, and bids still count as an equilibrium."""


@dataclass(frozen=True, eq=False)
class Tullock:
    """A pure equilibrium of bidders who differ.

    Attributes:
        bids, wins, payoffs: `[bidders]` each one's bid, chance to win and payoff.
        revenue: the sum of bids.
        highest_bid: the highest of them.
    """

    bids: Array
    wins: Array
    payoffs: Array
    revenue: float
    highest_bid: float


def unlike_tullock(
    values: Sequence[float],
    r: float = 1.0,
    cost_power: float = 1.0,
    cost_scales: Sequence[float] | None = None,
    prize: float = 1.0,
) -> Tullock | NoFormula:
    """The winner takes the prize, values are known to all.

    r/p = 1 [Stein 2002]: with w = v/scale in falling order, X = (s−1)/Σ_{i≤s} 1/w_i for the largest s with w_s above the X of
    the s, and y_i = X (1 − X/w_i) for w_i > X, 0 for the others; payoffs v_i (1 − X/w_i)².

    Two bidders, R = r/p ≤ 1 + (w_2/w_1)^R [Nti 1999]: y_i = R w_i^{R+1} w_j^R/(w_i^R + w_j^R)². Beyond that bound the weaker
    would rather bid 0, and there is no pure equilibrium.

    R < 1 and more bidders: no formula, but one equation for Z = Σ y^R [Cornes & Hartley 2005]: the chances s_i with
    Z^{1/R} s_i^{1/R−1} = R w_i (1 − s_i) sum to 1. Everybody bids. The chances are found to about 1e-15.

    Args:
        values: at least two, each above 0, in any order.
        r: how much bids decide, above 0.
        cost_power, cost_scales: costs are scale·b^power, with one power p for all.
        prize: how many units of value the winner gets.

    Raises:
        AllpayError: if a number is out of its bounds.

    >>> unlike_tullock((1, 0.8, 0.5)).bids.round(6)
    array([0.249135, 0.193772, 0.027682])
    """
    v = np.array(check_numbers("values", values, above=True)) * check_number("the prize", prize, above=True)
    if len(v) < 2:
        raise AllpayError(f"values must be those of at least 2 bidders: got {len(v)}")
    scales = np.ones_like(v) if cost_scales is None else np.array(check_numbers("cost scales", cost_scales, above=True))
    if len(scales) != len(v):
        raise AllpayError(f"cost scales must be one for each value: got {len(scales)} for {len(v)} values")
    power = check_number("cost power", cost_power, above=True)
    decides, worth = check_number("r", r, above=True) / power, v / scales
    if len(worth) == 2:
        most = largest_r(*worth)
        if decides > most * (1 + 1e-12):
            return NoFormula(
                f"two bidders of these values have a pure equilibrium up to r/cost power = {most:.6g}: got {decides:.6g}"
            )
        wins = 1 / (1 + (worth[::-1] / worth) ** decides)
    elif decides == 1:
        wins = _stein(worth)
    elif decides < 1:
        wins = _shares(worth, decides)
    else:
        return NoFormula(f"more than two unlike bidders have a formula up to r/cost power = 1: got {decides:.6g}")
    spent = decides * worth * wins * (1 - wins)  # the first-order condition
    bids = spent ** (1 / power)
    return Tullock(bids, wins, scales * (worth * wins - spent), float(bids.sum()), float(bids.max()))


def _stein(worth: Array) -> Array:
    falling = np.sort(worth)[::-1]
    total = np.arange(len(worth)) / np.cumsum(1 / falling)  # X of the s strongest
    last = int(np.max(np.flatnonzero(falling > total)))
    return np.maximum(1 - total[last] / worth, 0.0)


def _shares(worth: Array, r: float) -> Array:
    """The chances to win for r < 1: by bisection on ln Z, and each chance by bisection on itself."""
    scaled = np.log(r * worth / worth.max())

    def share(log_z: float) -> Array:
        # ln s (1/r − 1) − ln(1 − s) rises in s from −∞ to ∞: bisection in the logit of s
        low, high = np.full_like(scaled, -750.0), np.full_like(scaled, 750.0)
        for _ in range(64):
            middle = (low + high) / 2
            log_s, log_rest = -np.logaddexp(0, -middle), -np.logaddexp(0, middle)
            short = (1 / r - 1) * log_s - log_rest < scaled - log_z / r
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.asarray(np.exp(-np.logaddexp(0, -(low + high) / 2)))

    below, above = -1e3, 1e3
    for _ in range(100):
        middle = (below + above) / 2
        below, above = (middle, above) if share(middle).sum() > 1 else (below, middle)
    found = share((below + above) / 2)
    return found / found.sum()


def largest_r(v1: float, v2: float) -> float:
    """The largest r with a pure equilibrium of two bidders with linear costs: r = 1 + (min/max)^r, from 1 to 2 [Nti 1999].

    Raises:
        AllpayError: if a value is not above 0.

    >>> largest_r(1, 1)
    2.0
    """
    low, high = sorted((check_number("a value", v1, above=True), check_number("a value", v2, above=True)))
    from scipy.optimize import brentq

    return float(brentq(lambda r: 1 + (low / high) ** r - r, 1.0, 2.0, xtol=1e-15)) if low < high else 2.0


@dataclass(frozen=True)
class Alike:
    """The pure equilibrium of bidders alike.

    Attributes:
        bid: what each bids.
        revenue: the expected sum of bids; highest_bid: the expected highest, 0 where nobody is there.
        payoff: of a bidder who is there.
    """

    bid: float
    revenue: float
    highest_bid: float
    payoff: float


def alike_tullock(
    field: Rivals,
    prizes: Sequence[float] = (1.0,),
    r: float = 1.0,
    value: float = 1.0,
    cost_power: float = 1.0,
    cost_scale: float = 1.0,
) -> Alike | NoFormula:
    """Bidders alike, prizes by rank.

    n bidders [Clark & Riis 1996]: y = w (R/n) Σ_k a_k (1 − Σ_{j<k} 1/(n−j)) with w = value/scale and R = r/p. A
    field of random size [Lim & Matros 2009 for one prize and R = 1]: the mean of that over the sizes, as a participant sees
    them; with one prize and M rivals, w R E[M/(M+1)²]. It is an equilibrium if no other bid brings more, 0 included: this is
    checked on a grid.

    Args:
        field: who takes part.
        prizes: by rank, nonincreasing; later ranks win nothing.
        r: how much bids decide, above 0.
        value, cost_power, cost_scale: of every bidder.

    Raises:
        AllpayError: if a number is out of its bounds.

    >>> round(alike_tullock(Rivals.of(3), (0.7, 0.3), r=0.8).bid, 6)
    0.137778
    >>> round(alike_tullock(Rivals.of(3, presence=0.5)).bid, 6)
    0.180556
    """
    a = np.array(check_falling("prizes", prizes))
    power = check_number("cost power", cost_power, above=True)
    scale = check_number("cost scale", cost_scale, above=True)
    worth = check_number("the value", value, above=True) / scale
    decides = check_number("r", r, above=True) / power
    rivals, chance = field.present
    kept = chance > NO_CHANCE * chance.max()
    rivals, chance = rivals[kept], chance[kept]
    slopes, means = np.array([_slope_and_mean(a, int(m) + 1) for m in rivals]).T
    spent = worth * decides * float(chance @ slopes)
    kept_on_average = worth * float(chance @ means) - spent
    best, where = _best_deviation(a, rivals, chance, decides, worth, spent)
    if best > kept_on_average + GAINS * worth * (a[0] if a[0] > 0 else 1.0):
        return NoFormula(
            f"no pure equilibrium: where all bid {spent ** (1 / power):.6g}, a bid of {where ** (1 / power):.6g} "
            f"brings {(best - kept_on_average) * scale:.3g} more, so bidders mix; it exists for a smaller r"
        )
    bid = spent ** (1 / power)
    return Alike(bid, field.expected * bid, field.somebody * bid, kept_on_average * scale)


def _slope_and_mean(prizes: Array, n: int) -> tuple[float, float]:
    """d(expected prize)/d(ln bid^R) among n alike, and the mean prize."""
    some = prizes[:n]
    left = np.cumsum(1 / (n - np.arange(len(some))))
    least = some[-1] if len(some) == n else 0.0  # what all ranks win moves nobody
    return float((some - least) @ (1 - left)) / n, float(some.sum()) / n


def _best_deviation(
    prizes: Array, rivals: Array, chance: Array, decides: float, worth: float, spent: float
) -> tuple[float, float]:
    """The most that one gains if all others spend `spent`, and what it spends; on a grid of weights t = (y/spent)^R."""
    least = np.where(rivals < len(prizes), prizes[np.minimum(rivals, len(prizes) - 1).astype(int)], 0.0)
    at_zero = worth * float(chance @ least)  # the last rank, which is the first where it is alone
    if spent <= 0:
        return (at_zero, 0.0) if spent < 0 else _against_nobody(prizes, rivals, chance, worth)
    most = worth * (prizes[0] - least.min()) / spent
    y = spent * np.unique(np.concatenate([np.geomspace(1e-6, max(most, 1.0), 1001), np.linspace(0.5, 1.5, 201)]))
    t = (y / spent) ** decides
    share = np.zeros_like(t)
    for m, p in zip(rivals, chance, strict=True):
        stays = np.ones_like(t)  # the chance that it is not among the ranks above
        for k, a_k in enumerate(prizes[: int(m) + 1]):
            wins = t / (m - k + t)
            share += p * a_k * stays * wins
            stays = stays * (1 - wins)
    gains = worth * share - y
    best = int(np.argmax(gains))
    return (at_zero, 0.0) if at_zero >= gains[best] else (float(gains[best]), float(y[best]))


def _against_nobody(prizes: Array, rivals: Array, chance: Array, worth: float) -> tuple[float, float]:
    """All others bid 0: next to nothing is first for certain, unless all ranks win alike or it is alone."""
    return worth * float(prizes[0]), math.ulp(1.0)
