"""Rank probabilities: how likely each rank is for a bidder who beats each rival with probability q. No game, no equilibrium."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array

TINY = 1e-300
"""Stands for a probability of 0 where its logarithm is taken, which yields the limits at q = 0 and 1."""


def rank_probabilities(n: int, q: Any, xp: Any = np) -> Any:
    """P_k(q) = C(n−1, k−1) q^{n−k} (1−q)^{k−1}: how likely rank k is when each rival is beaten with probability q.

    Args:
        n: number of bidders.
        q: `[...]` probabilities in [0, 1].
        xp: the array namespace, `numpy` or `jax.numpy`; under JAX it can be differentiated in q inside (0, 1).

    Returns:
        `[..., n]`, summing to 1; in float64 each is right to 1e-12, also for a thousand bidders.

    >>> rank_probabilities(3, 0.5)
    array([0.25, 0.5 , 0.25])
    """
    q = xp.asarray(q)[..., None]
    inside = (q > 0) & (q < 1)
    safe = xp.where(inside, q, 0.5)  # keeps logarithms, and their derivatives, finite at the ends
    k = np.arange(1, n + 1)
    log = log_binomials(n) + (n - k) * xp.log(safe) + (k - 1) * xp.log1p(-safe)
    return xp.where(inside, xp.exp(log), xp.where(q > 0, k == 1, k == n))


def mean_rank_probabilities(n: int, q: ArrayLike, top: int | None = None) -> Array:
    """The mean of P_k over [q, 1], of ranks 1 … `top` or of all: how likely ranks are for one of many who tie at the top.

    ∫_q^1 P_k is 1/n of the chance that of n bidders at least k are above q: both sides have the same derivative.

    Args:
        n: number of bidders.
        q: `[...]` in [0, 1).

    Returns:
        `[..., top]`.

    >>> mean_rank_probabilities(3, 0.0)
    array([0.33333333, 0.33333333, 0.33333333])
    """
    from scipy.special import betainc

    k, above = np.arange(1, (n if top is None else top) + 1), 1 - np.asarray(q, float)[..., None]
    return np.asarray(betainc(k, n - k + 1, above) / (n * above))


@dataclass(frozen=True)
class Ranks:
    """The ranks that differ from the last, and one entry at the end for all others, who win and pay as the last does.

    Attributes:
        n: bidders.
        top: how many ranks stand alone.
        prizes, gains, paid: `[top + 1]` a_k, a_k − a_n, p_k.
    """

    n: int
    top: int
    prizes: Array
    gains: Array
    paid: Array

    @classmethod
    def of(cls, prizes: ArrayLike, payments: ArrayLike) -> "Ranks":
        a, p = np.asarray(prizes, float), np.asarray(payments, float)
        differs = np.nonzero((a != a[-1]) | (p != p[-1]))[0]
        top = int(differs[-1]) + 1 if len(differs) else 0
        keep = np.append(np.arange(top), len(a) - 1)
        return cls(len(a), top, a[keep], a[keep] - a[-1], p[keep])

    @property
    def falls(self) -> Array:
        """`[top]` (n−k)(a_k − a_{k+1}), so that Π′(q) = Σ_k falls_k P_k(q)/q."""
        return (self.n - np.arange(1, self.top + 1)) * (self.gains[:-1] - self.gains[1:])

    def chances(self, q: ArrayLike, rest: Array | None = None) -> Array:
        """`[..., top + 1]` P_k(q), with the sum of all others at the end; `rest` as in `odds`."""
        return self.odds(np.asarray(q, float), rest).chances

    def mean_above(self, q: ArrayLike) -> Array:
        """`[..., top + 1]` the mean of P_k over [q, 1], with that of all others at the end."""
        return _completed(mean_rank_probabilities(self.n, q, self.top))

    def odds(self, q: Array, rest: Array | None = None) -> "Odds":
        """How likely each rank is for a bidder who beats each rival with probability q, in a form that cannot underflow.

        Where the last rank pays nothing it matters to no formula, and its probability is left out: what remains is
        relative to the ranks that matter, which gives the limits at q = 0.

        Args:
            q: `[...]`.
            rest: 1 − q, if it is known to more digits than q itself tells.
        """
        rest = 1 - q if rest is None else rest
        log_q, log_1q = np.log(np.maximum(q, TINY)), np.log(np.maximum(rest, TINY))
        log_1q = np.where(q < 0.5, np.log1p(-np.minimum(q, 0.5)), log_1q)
        k = np.arange(1, self.top + 1)
        log = np.empty((*q.shape, self.top + 1))
        log[..., :-1] = (
            log_binomials(self.n)[: self.top] + (self.n - k) * log_q[..., None] + (k - 1) * log_1q[..., None]
        )
        if self.paid[-1] > 0:
            from scipy.special import betainc

            # P(rank > top), the chance that at least `top` of n−1 rivals bid higher
            log[..., -1] = np.log(np.maximum(betainc(self.top, self.n - self.top, rest), TINY))
        else:
            log[..., -1] = -np.inf
        scale = log.max(-1)
        relative = np.exp(log - scale[..., None])
        log_gain = scale + np.log(np.maximum(relative @ self.gains, TINY))
        log_paid = scale + np.log(np.maximum(relative @ self.paid, TINY))
        return Odds(relative, scale, log_gain, log_paid)


@dataclass(frozen=True)
class Odds:
    """Rank probabilities at quantiles `[...]`.

    Attributes:
        relative: `[..., top + 1]` probability of each rank over e^log_scale; 0 for the last if it pays nothing.
        log_scale: `[...]`.
        log_gain: `[...]` ln(Π − a_n).
        log_paid: `[...]` ln S.
    """

    relative: Array
    log_scale: Array
    log_gain: Array
    log_paid: Array

    @property
    def chances(self) -> Array:
        """`[..., top + 1]` the probabilities themselves, that of all others at the end."""
        return _completed(np.exp(self.log_scale)[..., None] * self.relative[..., :-1])


def _completed(chances: Array) -> Array:
    """Probabilities with what they leave to 1 at the end."""
    return np.concatenate([chances, np.maximum(1 - chances.sum(-1, keepdims=True), 0.0)], -1)


@lru_cache(maxsize=64)
def log_binomials(n: int) -> Array:
    """`[n]` ln C(n−1, k−1) for k = 1…n, each to the last digit since the binomials are exact integers."""
    logs, binomial = np.empty(n), 1
    for k in range(1, n + 1):
        logs[k - 1] = math.log(binomial)
        binomial = binomial * (n - k) // k
    logs.setflags(write=False)
    return logs
