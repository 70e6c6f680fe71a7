"""Rank-order tournaments: the score is the bid, or its logarithm, plus noise of one's own; pure equilibria of bidders alike.

The first-order condition c′(b) = v Σ_k a_k β_k with β_k = ∫ g(G⁻¹(q)) P_k′(q) dq [Lazear & Rosen 1981], and the check that no
other bid brings more, which it may: with little noise there is no pure equilibrium.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array
from allpay.contest.preferences import PowerCost
from allpay.theory.effort import Cost
from allpay.theory.field import Rivals
from allpay.theory.noformula import NoFormula, check_falling, check_number
from allpay.theory.quantiles import base_edges, in_panels
from allpay.theory.tullock import Alike

GAINS = 1e-7
"""The part of the first prize's value that a deviation may gain, and bids still count as an equilibrium."""

BIDS = 321
"""Deviations that are tried, from 0 to the most that the prizes are worth; and as many near the equilibrium."""


class Noise(Protocol):
    """A continuous distribution of noise, with distribution function G and density g; arrays to arrays."""

    def quantile(self, q: ArrayLike) -> Array:
        """G⁻¹(q)."""
        ...

    def below(self, x: ArrayLike) -> Array:
        """G(x)."""
        ...

    def density_at(self, q: ArrayLike) -> Array:
        """g(G⁻¹(q))."""
        ...


@dataclass(frozen=True)
class Normal:
    """Normal with standard deviation σ: g(G⁻¹(q)) = φ(Φ⁻¹(q))/σ."""

    deviation: float = 1.0

    def __post_init__(self) -> None:
        check_number("the deviation of noise", self.deviation, above=True)

    def quantile(self, q: ArrayLike) -> Array:
        from scipy.special import ndtri

        return np.asarray(self.deviation * ndtri(q))

    def below(self, x: ArrayLike) -> Array:
        from scipy.special import ndtr

        return np.asarray(ndtr(np.asarray(x, float) / self.deviation))

    def density_at(self, q: ArrayLike) -> Array:
        z = self.quantile(q) / self.deviation
        return np.asarray(np.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * self.deviation))


@dataclass(frozen=True)
class Logistic:
    """G(x) = 1/(1 + e^{−x/s}): g(G⁻¹(q)) = q(1−q)/s."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number("the scale of noise", self.scale, above=True)

    def quantile(self, q: ArrayLike) -> Array:
        from scipy.special import logit

        return np.asarray(self.scale * logit(q))

    def below(self, x: ArrayLike) -> Array:
        from scipy.special import expit

        return np.asarray(expit(np.asarray(x, float) / self.scale))

    def density_at(self, q: ArrayLike) -> Array:
        q = np.asarray(q, float)
        return np.asarray(q * (1 - q) / self.scale)


@dataclass(frozen=True)
class Gumbel:
    """G(x) = exp(−e^{−x/s}): g(G⁻¹(q)) = −q ln q/s. On ln b it makes a Tullock contest with r = 1/s."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number("the scale of noise", self.scale, above=True)

    def quantile(self, q: ArrayLike) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(-self.scale * np.log(-np.log(np.asarray(q, float))))

    def below(self, x: ArrayLike) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(-np.exp(-np.asarray(x, float) / self.scale)))

    def density_at(self, q: ArrayLike) -> Array:
        from scipy.special import entr

        return np.asarray(entr(q) / self.scale)


@dataclass(frozen=True)
class UniformNoise:
    """Uniform on [−h, h]: g(G⁻¹(q)) = 1/(2h)."""

    half: float = 1.0

    def __post_init__(self) -> None:
        check_number("half the width of noise", self.half, above=True)

    def quantile(self, q: ArrayLike) -> Array:
        return self.half * (2 * np.asarray(q, float) - 1)

    def below(self, x: ArrayLike) -> Array:
        return np.clip((np.asarray(x, float) / self.half + 1) / 2, 0.0, 1.0)

    def density_at(self, q: ArrayLike) -> Array:
        return np.full_like(np.asarray(q, float), 1 / (2 * self.half))


@dataclass(frozen=True)
class Exponential:
    """G(x) = 1 − e^{−x/s} from 0 on: g(G⁻¹(q)) = (1−q)/s."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number("the scale of noise", self.scale, above=True)

    def quantile(self, q: ArrayLike) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(-self.scale * np.log1p(-np.asarray(q, float)))

    def below(self, x: ArrayLike) -> Array:
        return np.asarray(-np.expm1(-np.maximum(np.asarray(x, float), 0.0) / self.scale))

    def density_at(self, q: ArrayLike) -> Array:
        return np.asarray((1 - np.asarray(q, float)) / self.scale)


@dataclass(frozen=True)
class Pareto:
    """G(x) = 1 − (x/s)^{−α} from s on: g(G⁻¹(q)) = (α/s)(1−q)^{1+1/α}."""

    tail: float = 2.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_number("the tail of noise", self.tail, above=True)
        check_number("the scale of noise", self.scale, above=True)

    def quantile(self, q: ArrayLike) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(self.scale * (1 - np.asarray(q, float)) ** (-1 / self.tail))

    def below(self, x: ArrayLike) -> Array:
        return np.asarray(1 - np.maximum(np.asarray(x, float) / self.scale, 1.0) ** -self.tail)

    def density_at(self, q: ArrayLike) -> Array:
        return np.asarray(self.tail / self.scale * (1 - np.asarray(q, float)) ** (1 + 1 / self.tail))


def prize_effects(noise: Noise, field: Rivals, ranks: int | None = None) -> Array:
    """`[ranks]` β_k = ∫ g(G⁻¹(q)) P_k′(q) dq: how much a little more of a bid adds to the chance of rank k, among alike bids.

    Args:
        noise: of every score, independent.
        field: who takes part; of a random one, the mean as a participant sees it.
        ranks: how many; all if not given.

    >>> prize_effects(Normal(), Rivals.of(3)).round(5) + 0.0
    array([ 0.28209,  0.     , -0.28209])
    """
    q, weight = in_panels(base_edges(field.most))
    slopes = field.rank_slopes(q, field.most if ranks is None else ranks)
    return np.asarray(np.einsum("pi,pik->k", weight * noise.density_at(q), slopes))


def tournament(
    noise: Noise,
    field: Rivals,
    prizes: Sequence[float] = (1.0,),
    value: float = 1.0,
    cost: Cost | None = None,
    on_logarithm: bool = False,
) -> Alike | NoFormula:
    """The pure equilibrium of bidders alike [Lazear & Rosen 1981].

    c′(b) = v Σ_k a_k β_k, or b·c′(b) = v Σ_k a_k β_k with noise on the logarithm of the bid; b = 0 where c′(0) is no less.
    Bids count as an equilibrium if no other bid, 0 included, brings more by 1e-7 of the first prize: chances of ranks after a
    deviation by d are ∫ P_k(G(G⁻¹(q) + d)) dq, which are integrated from kink to kink.

    Args:
        noise: of every score, independent.
        field: who takes part.
        prizes: by rank, nonincreasing; later ranks win nothing.
        value: of a prize of 1.
        cost: of a bid; the bid itself if not given.

    Raises:
        AllpayError: if a number is out of its bounds.

    >>> round(tournament(Normal(0.5), Rivals.of(3), (0.7, 0.3), cost=PowerCost(2)).bid, 6)
    0.197466
    """
    a = np.array(check_falling("prizes", prizes))
    check_number("the value", value, above=True)
    cost = PowerCost() if cost is None else cost
    gain = value * float(a @ prize_effects(noise, field, len(a)))
    if gain <= 1e-14 * value * a[0]:
        gain = 0.0  # prizes that are all alike
    bid = _where_marginal(gain, cost, float(cost.bid(value * a[0])), on_logarithm)
    if bid is None:
        return NoFormula(
            "the marginal cost of a bid stays below what it gains: with a linear cost and noise on the bid "
            "no pure equilibrium exists; give a convex cost or more noise"
        )
    there, chance = field.present
    some = chance > 0
    mean = float(sum(p * a[: int(m) + 1].sum() / (m + 1) for m, p in zip(there[some], chance[some], strict=True)))
    payoff = value * mean - float(cost.cost(bid))
    best, where = _best_deviation(noise, field, a, value, cost, bid, on_logarithm)
    if best > payoff + GAINS * value * max(a[0], np.finfo(float).tiny):
        return NoFormula(
            f"no pure equilibrium: where all bid {bid:.6g}, a bid of {where:.6g} brings {best - payoff:.3g} more, so "
            "bidders mix; it exists with more noise"
        )
    return Alike(bid, field.expected * bid, field.somebody * bid, payoff)


def _where_marginal(gain: float, cost: Cost, most: float, on_logarithm: bool) -> float | None:
    """Where c′(b), or b·c′(b), reaches the marginal gain; 0 where it is there from the start, None if it never is."""

    def short(b: float) -> float:
        return float(cost.slope(b)) * (b if on_logarithm else 1.0) - gain

    if gain == 0 or short(0.0) >= 0:
        return 0.0
    if isinstance(cost, PowerCost):
        rises = cost.power - (0.0 if on_logarithm else 1.0)
        return None if rises <= 0 else (gain / (cost.scale * cost.power)) ** (1 / rises)
    while short(most) < 0:  # the slope may be small up to the first prize, and still reach the gain beyond
        if most > 1e12:
            return None
        most *= 2
    from scipy.optimize import brentq

    return float(brentq(short, 0.0, most, xtol=1e-15, rtol=1e-14))


def _best_deviation(
    noise: Noise, field: Rivals, prizes: Array, value: float, cost: Cost, bid: float, on_logarithm: bool
) -> tuple[float, float]:
    """The most that one gets if all others bid `bid`, and by which bid."""
    most = float(cost.bid(value * prizes[0] + cost.cost(0.0)))
    near = bid * np.linspace(0.9, 1.1, BIDS // 4)
    bids = np.unique(
        np.concatenate([np.linspace(0.0, max(most, 1.2 * bid), BIDS), near, bid + most * 1e-4 * np.arange(5)])
    )
    if on_logarithm:
        if bid == 0:
            return -np.inf, 0.0
        positive = bids[bids > 0]
        shift = np.log(positive / bid)
    else:
        positive, shift = bids, bids - bid
    share = _share_after(noise, field, prizes, shift)
    if on_logarithm:  # a bid of 0 comes last, and first where it is alone
        there, chance = field.present
        last = np.where(there < len(prizes), prizes[np.minimum(there, len(prizes) - 1).astype(int)], 0.0)
        share, positive = np.append(float(chance @ last), share), np.append(0.0, positive)
    worth = value * share - cost.cost(positive)
    best = int(np.argmax(worth))
    return float(worth[best]), float(positive[best])


def _share_after(noise: Noise, field: Rivals, prizes: Array, shift: Array) -> Array:
    """`[shifts]` Σ_k a_k ∫ P_k(G(G⁻¹(q) + d)) dq for deviations d of one's score.

    With noise that has a lowest or a highest value, G(G⁻¹(q) + d) has a kink where it reaches 0 or 1.
    """
    low, high = (float(noise.quantile(q)) for q in (0.0, 1.0))
    edge = np.where(shift < 0, low, high)
    kink = np.where(np.isfinite(edge), noise.below(np.where(np.isfinite(edge), edge, 0.0) - shift), 0.0)
    u, weight = (x.ravel() for x in in_panels(base_edges(field.most)))
    share = _ShareTable.of(field, prizes)
    total = np.zeros_like(shift)
    for start, length in ((np.zeros_like(kink), kink), (kink, 1 - kink)):
        some = np.flatnonzero(length > 0)
        for piece in np.array_split(some, max(1, len(some) * len(u) // 1_000_000 + 1)):
            q = start[piece, None] + length[piece, None] * u
            beaten = noise.below(noise.quantile(q) + shift[piece, None])
            total[piece] += length[piece] * (share.at(beaten) @ weight)
    return total


@dataclass(frozen=True, eq=False)
class _ShareTable:
    """Π(q) by cubics between points of equal steps of arcsin √q, in which a binomial is as wide everywhere.

    Attributes:
        q: `[points]`.
        share, slope: `[points]` Π and Π′ there.
    """

    q: Array
    share: Array
    slope: Array

    @classmethod
    def of(cls, field: Rivals, prizes: Array) -> "_ShareTable":
        points = 512 + 64 * math.ceil(math.sqrt(field.most))
        q = np.sin(np.linspace(0.0, np.pi / 2, points)) ** 2
        return cls(q, *(chances(q, len(prizes)) @ prizes for chances in (field.rank_chances, field.rank_slopes)))

    def at(self, q: Array) -> Array:
        """Π, any shape."""
        last = len(self.q) - 2
        i = np.minimum((np.arcsin(np.sqrt(q)) * ((last + 1) * 2 / np.pi)).astype(int), last)
        width = self.q[i + 1] - self.q[i]
        t = np.clip((q - self.q[i]) / width, 0.0, 1.0)
        low, high = self.share[i], self.share[i + 1]
        bend = width * t * (1 - t) * ((1 - t) * self.slope[i] - t * self.slope[i + 1])
        return np.asarray(low + (high - low) * t * t * (3 - 2 * t) + bend)
