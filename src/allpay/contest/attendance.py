"""Who turns up: everybody, each with a chance of its own, or a random number of those who might.

Bidders know the distribution of the number who turn up, not the number itself.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError, exactly, one_of
from allpay.frozen import Brief

Array = NDArray[np.float64]

LEFT_OUT = 1e-12
"""What a field without a bound leaves out at its upper end, as a probability."""

MOST_IN_FIELD = 10_000
"""More bidders than this may not turn up."""


@dataclass(frozen=True)
class Field(Brief):
    """How many bidders turn up: each set of so many is equally likely.

    Attributes:
        chances: `[most + 1]` the probability that 0, 1, … bidders are there; sums to 1, the last is above 0.
        text: how the user named it.

    Raises:
        AllpayError: if these are no probabilities, or nobody ever turns up.
    """

    chances: tuple[float, ...]
    text: str = ""

    def __post_init__(self) -> None:
        try:
            chances = tuple(float(c) for c in self.chances)
        except (TypeError, ValueError, OverflowError):
            raise AllpayError(f"the chances of a field must be numbers: got {str(self.chances)[:60]!r}") from None
        if not all(math.isfinite(c) and c >= 0 for c in chances) or abs(math.fsum(chances) - 1) > 1e-9:
            raise AllpayError("the chances of a field must be at least 0 and sum to 1")
        while len(chances) > 1 and chances[-1] == 0:
            chances = chances[:-1]
        if len(chances) < 2:
            raise AllpayError("nobody ever turns up: give a field in which somebody may")
        if len(chances) - 1 > MOST_IN_FIELD:
            raise AllpayError(f"at most {MOST_IN_FIELD:,} bidders may turn up: got {len(chances) - 1:,}; give fewer")
        object.__setattr__(self, "chances", chances)

    @property
    def most(self) -> int:
        """How many turn up at most."""
        return len(self.chances) - 1

    @property
    def mean(self) -> float:
        """How many turn up in the mean."""
        return float(np.arange(self.most + 1) @ self.chances)

    @property
    def words(self) -> str:
        """What it is, for the user."""
        return self.text or f"a random number of bidders, {self.mean:.3g} in the mean and {self.most} at most"

    def thinned(self, chance: float) -> "Field":
        """The field if each of those in it is there with this chance only."""
        from scipy.stats import binom

        if chance == 1:
            return self
        numbers = np.arange(self.most + 1)
        chances = np.asarray(self.chances) @ binom.pmf(numbers[None, :], numbers[:, None], chance)
        return Field(tuple(chances / chances.sum()), f"{self.words}, each there with a chance of {chance:g}")

    def among(self, bidders: int) -> Array:
        """`[bidders + 1]` the chances of 0 … so many.

        Raises:
            AllpayError: if more may turn up than there are bidders.
        """
        if self.most > bidders:
            raise AllpayError(f"up to {self.most} bidders may turn up: got {bidders} bidders; give as many")
        return np.pad(np.asarray(self.chances), (0, bidders - self.most))


def effective(coefficients: ArrayLike, chances: Array) -> Array:
    """What a place among all who might turn up brings in expectation over who does, as a bidder who is there sees it.

    A bidder who is there sees N bidders with a chance proportional to N·P(N). If j of its n − 1 possible rivals would be
    ranked above it, the number of them who are there is hypergeometric, given N. So numbers c_k by rank become

        c̃_j = Σ_N N·P(N)/E[N] · Σ_k c_{k+1} · C(j, k) C(n−1−j, N−1−k) / C(n−1, N−1),

    and contests with a random field are played as if all n were there, with c̃ for c. In Bernstein form this raises the
    degree of a polynomial, and changes nothing else about it.

    Args:
        coefficients: `[..., n]` by rank.
        chances: `[n + 1]` of each number of bidders.

    Returns:
        `[..., n]`.
    """
    from scipy.stats import hypergeom

    c = np.asarray(coefficients, float)
    n = c.shape[-1]
    seen = np.arange(1, n + 1) * chances[1:]
    seen = seen / seen.sum()
    above = np.zeros((n, n))  # [j, k] the chance that k of j virtual rivals above are there
    j, k = np.arange(n)[:, None], np.arange(n)[None, :]
    for present in np.flatnonzero(seen > 0):
        above += seen[present] * hypergeom.pmf(k, n - 1, j, present)
    return c @ above.T


def none_above(chances: Array) -> Array:
    """`[n + 1]` the chance that none of j bidders is among those who turn up, of n who might, for j = 0 … n."""
    from scipy.special import gammaln

    n = len(chances) - 1
    numbers = np.arange(n + 1)
    j, present = numbers[:, None], numbers[None, :]
    left = np.maximum(n - j - present, 0)
    log = gammaln(n - j + 1) - gammaln(left + 1) + gammaln(n - present + 1) - gammaln(n + 1)
    return np.where(n - j >= present, np.exp(np.minimum(log, 0.0)), 0.0) @ chances


FIELDS = ("uniform", "poisson", "binomial")
"""The fields that `field` reads, beside a range such as 40:120."""


def field(text: str) -> Field:
    """The field that a text names: `40:120` (each number equally likely), `poisson(80)`, `binomial(100, 0.8)`.

    Raises:
        AllpayError: if it cannot be read, or the numbers are out of their bounds.

    >>> field("2:4").chances
    (0.0, 0.0, 0.3333333333333333, 0.3333333333333333, 0.3333333333333333)
    """
    span = re.fullmatch(r"\s*(\d{1,9})\s*:\s*(\d{1,9})\s*", str(text))
    if span:
        return uniform_field(int(span[1]), int(span[2]))
    match = re.fullmatch(r"\s*([a-z]+)\s*\(([^()]*)\)\s*", str(text).lower())
    if not match:
        raise AllpayError(
            f"cannot read how many bidders turn up from {str(text)[:60]!r}: write 40:120, poisson(80) or binomial(100,0.8)"
        )
    name = one_of("field of bidders", match[1], FIELDS)
    words = [word.strip() for word in match[2].split(",")]
    wanted = {"uniform": 2, "poisson": 1, "binomial": 2}[name]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise AllpayError(f"cannot read the numbers of {str(text)[:60]!r}: write it as poisson(80)") from None
    if len(numbers) != wanted:
        raise AllpayError(f"{name} takes {wanted} number{'s' * (wanted > 1)}: got {str(text)[:60]!r}")
    if name == "poisson":
        return poisson_field(numbers[0])
    if not all(x.is_integer() for x in numbers[: 2 if name == "uniform" else 1]):
        raise AllpayError(f"a number of bidders must be whole: got {str(text)[:60]!r}")
    if name == "uniform":
        return uniform_field(int(numbers[0]), int(numbers[1]))
    return binomial_field(int(numbers[0]), numbers[1])


def uniform_field(least: int, most: int) -> Field:
    """Each number from least to most is equally likely."""
    if not 0 <= least <= most or most < 1 or most > MOST_IN_FIELD:
        raise AllpayError(
            f"a range of bidders needs 0 ≤ least ≤ most, and from 1 to {MOST_IN_FIELD:,} at most: got {least}:{most}"
        )
    count = most - least + 1
    return Field((0.0,) * least + (1 / count,) * count, f"{least} to {most} bidders, each number equally likely")


def poisson_field(mean: float) -> Field:
    """A Poisson number, cut where less than 1e-12 is left."""
    from scipy.stats import poisson

    if not (math.isfinite(mean) and 0 < mean <= MOST_IN_FIELD / 2):
        raise AllpayError(
            f"the mean of a Poisson field must be above 0 and at most {MOST_IN_FIELD // 2:,}: got {exactly(mean)}"
        )
    most = max(int(poisson.isf(LEFT_OUT, mean)), 2)
    chances = poisson.pmf(np.arange(most + 1), mean)
    return Field(tuple(chances / chances.sum()), f"a Poisson number of bidders, {mean:g} in the mean")


def binomial_field(bidders: int, chance: Any) -> Field:
    """Each of so many turns up with the same chance."""
    from scipy.stats import binom

    if not 1 <= bidders <= MOST_IN_FIELD:
        raise AllpayError(f"the bidders of a binomial field must be from 1 to {MOST_IN_FIELD:,}: got {bidders}")
    if not (math.isfinite(chance) and 0 < chance <= 1):
        raise AllpayError(f"the chance to turn up must be above 0 and at most 1: got {exactly(chance)}")
    chances = binom.pmf(np.arange(bidders + 1), bidders, chance)
    return Field(tuple(chances / chances.sum()), f"each of {bidders} bidders with a chance of {chance:g}")
