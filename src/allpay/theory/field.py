"""How many take part: a number that is known, an absence by chance, a random field; and what that does to ranks.

A bidder that takes part knows that it does, so it sees a field of N with chances in proportion to N·P(N). Given M rivals, each
there with probability π and beaten with probability q where it is, the number of rivals above is binomial with M trials of
probability π(1−q). A prize whose rank nobody fills is not paid.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.game import Array
from allpay.errors import AllpayError
from allpay.theory.noformula import check_count, check_number

NO_CHANCE = 1e-17
"""The part of the likeliest number of rivals below which a number of rivals is left out."""

MANY_RIVALS = 1000
"""With so many rivals C(m, k), x^k and (1 − x)^(m−k) are within the range of floats wherever their product counts."""

KEPT = 6
"""So many tables of rank chances are kept by a field: those that one equilibrium and its gradient take."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """Whom a bidder who takes part may meet. `attendance.Field` says how many turn up; this is what one of them sees of it.

    Attributes:
        rivals: `[sizes]` numbers of rivals that may be there.
        chance: `[sizes]` of each, as a participant sees it.
        presence: the chance π that each of them is there.
        expected: the expected number of bidders who are there.
        somebody: the chance that anybody is there.
    """

    rivals: Array
    chance: Array
    presence: float
    expected: float
    somebody: float
    _tables: dict[tuple[bool, int], Array] = field(default_factory=dict, repr=False)
    _asked: dict[tuple[bool, int, bytes], Array] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, bidders: int | Mapping[int, float], presence: float = 1.0) -> Self:
        """The field of so many bidders, each there with probability `presence`.

        Args:
            bidders: their number; or chances by number, positive and finite, which are scaled to sum to 1.

        Raises:
            AllpayError: if a number of bidders is not whole and at least 1, a chance not above 0, or presence not in (0, 1].

        >>> field = Rivals.of({2: 1, 3: 1, 4: 1})
        >>> (field.chance * 9).round(9), field.expected
        (array([2., 3., 4.]), 3.0)
        """
        chances = bidders if isinstance(bidders, Mapping) else {bidders: 1.0}
        if not chances:
            raise AllpayError("a field needs at least one number of bidders: got none")
        sizes = np.array([check_count("the number of bidders", n, 1) for n in chances], float)
        likely = np.array([check_number(f"the chance of {n} bidders", p, above=True) for n, p in chances.items()])
        check_number("presence", presence, 0.0, 1.0, above=True)
        likely = likely / likely.sum()
        seen = likely * sizes / (likely @ sizes)
        kept = seen > NO_CHANCE * seen.max()
        return cls(
            rivals=sizes[kept] - 1,
            chance=seen[kept] / seen[kept].sum(),
            presence=float(presence),
            expected=float(presence * (likely @ sizes)),
            somebody=float(-(likely @ np.expm1(sizes * math.log1p(-presence)))) if presence < 1 else 1.0,
        )

    @property
    def most(self) -> int:
        """The most bidders that there can be."""
        return int(self.rivals.max()) + 1

    @property
    def present(self) -> tuple[Array, Array]:
        """`[rivals]` how many rivals are there, from 0 up, and `[rivals]` how likely that is, as a participant sees it."""
        there = np.arange(float(self.most))
        if self.presence == 1:
            return there, np.asarray(np.bincount(self.rivals.astype(int), self.chance, self.most), float)
        parts = [
            p * _binomial(there, m, np.array(self.presence)) for m, p in zip(self.rivals, self.chance, strict=True)
        ]
        return there, np.sum(parts, 0)

    def rank_chances(self, q: ArrayLike, ranks: int) -> Array:
        """P_k(q) of ranks 1 … `ranks`: how likely each is for a bidder that beats each rival who is there with probability q.

        Returns:
            `[..., ranks]` for q `[...]` in [0, 1].
        """
        return self._known(q, ranks, slopes=False)

    def rank_slopes(self, q: ArrayLike, ranks: int) -> Array:
        """P_k′(q): m π (B(k−1) − B(k−2)) for m rivals, with B the binomial chances for m − 1 of them.

        Returns:
            `[..., ranks]` for q `[...]` in [0, 1].
        """
        return self._known(q, ranks, slopes=True)

    def win_chance(self, q: ArrayLike) -> Array:
        """P_1(q); times the expected number of bidders, the density of the highest quantile."""
        return self.rank_chances(q, 1)[..., 0]

    def _known(self, q: ArrayLike, ranks: int, slopes: bool) -> Array:
        """`rank_chances`, or `rank_slopes`, not computed again for quantiles of which was asked shortly before: a search over
        prizes asks at the same ones again and again."""
        at = np.asarray(q, float)
        key = slopes, ranks, at.tobytes()
        found = self._asked.get(key)
        if found is None:
            found = self._above(at.ravel(), ranks, slopes)
            if slopes:
                found[:, 1:] -= found[:, :-1].copy()
            found.flags.writeable = False
            while len(self._asked) >= KEPT:
                self._asked.pop(next(iter(self._asked)), None)
            self._asked[key] = found
        return found.reshape(*at.shape, ranks)

    def _above(self, q: Array, ranks: int, fewer: bool) -> Array:
        """`[quantiles, ranks]` Σ_m factor_m · chance_m · B(k; m, x), where x is the chance that a rival is there and bids more.

        m are the rivals, with factor 1; or one `fewer`, with the number of rivals who can be left out, m π, as slopes need.
        B(k; m, x) = C(m, k) x^k (1 − x)^(m−k), so the sum is x^k times a polynomial in 1 − x, and all ranks are one product of
        matrices. With very many rivals its numbers leave the range of floats, though the chances do not: these are summed.
        """
        x = self.presence * (1 - q)
        trials = np.maximum(self.rivals - 1, 0) if fewer else self.rivals
        weights = self.chance * self.rivals * self.presence if fewer else self.chance  # 0 where there are no rivals
        if trials.max() > MANY_RIVALS:
            places = np.arange(float(ranks))
            parts = (w * _binomial(places, m, x[..., None]) for m, w in zip(trials, weights, strict=True) if w)
            return np.asarray(sum(parts, np.zeros((*x.shape, ranks))))
        if (fewer, ranks) not in self._tables:  # the same at all quantiles, of which a search asks for very many
            self._tables[fewer, ranks] = _coefficients(trials, weights, ranks)
        with np.errstate(under="ignore"):  # whatever the user has set: a chance of 1e-400 is 0
            found: Array = _powers(1 - x, int(trials.max()) + 1) @ self._tables[fewer, ranks]
            found *= _powers(x, ranks)
            return found


def _powers(x: Array, count: int) -> Array:
    """`[..., count]` x^0, x^1, …: each stretch is the one before it times its length's power, many times faster than `**`."""
    found = np.empty((*x.shape, count))
    found[..., 0] = 1.0
    filled, power = 1, x[..., None]  # x^filled
    while filled < count:
        more = min(filled, count - filled)
        np.multiply(found[..., :more], power, out=found[..., filled : filled + more])
        filled, power = filled + more, power * power
    return found


def _coefficients(trials: Array, weights: Array, ranks: int) -> Array:
    """`[most + 1, ranks]` of `Rivals._above`: those of (1 − x)^j, which are the weight of m = j + k trials times C(m, k)."""
    most = int(trials.max())
    weight = np.bincount(trials.astype(int), weights, most + ranks)
    return np.asarray(weight[np.add.outer(np.arange(most + 1), np.arange(ranks))] * _choices(most, ranks))


@lru_cache(maxsize=32)
def _choices(most: int, ranks: int) -> Array:
    """`[most + 1, ranks]` C(j + k, k), where j + k is at most `most`, else 0."""
    from scipy.special import comb

    j, k = np.ogrid[: most + 1, :ranks]
    return np.where(j + k <= most, comb(np.minimum(j + k, most), k), 0.0)


def _binomial(k: Array, trials: float, x: Array) -> Array:
    """The chance of k successes of probability x, also at x = 0 and 1 and for k above the number of trials."""
    from scipy.special import gammaln, xlog1py, xlogy

    inside = k <= trials
    j = np.where(inside, k, 0)
    log = gammaln(trials + 1) - gammaln(j + 1) - gammaln(trials - j + 1) + xlogy(j, x) + xlog1py(trials - j, -x)
    return np.asarray(np.where(inside, np.exp(log), 0.0))


def total(amounts: tuple[float, ...], rest: float, chances: Array) -> Array:
    """What a rank brings on average, where `amounts` are those of the first ranks and `rest` that of all others."""
    return rest + chances[..., : len(amounts)] @ (np.array(amounts) - rest)
