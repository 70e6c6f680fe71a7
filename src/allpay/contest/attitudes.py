"""How a bidder feels about chances: as they are, weighted, or with a dread of disappointment. Each is a class, and kernels that
say what a bid is worth whose outcomes have these utilities and these chances."""

import math
import re
from dataclasses import dataclass, fields
from typing import Annotated, Protocol

from allpay.compiled import compiled
from allpay.errors import AllpayError, one_of, short
from allpay.scalars import Bound, numeral, plain_fields

EXPECTED, PRELEC, TVERSKY_KAHNEMAN, DISAPPOINTMENT = 0, 1, 2, 3
"""What kernels know the kinds by."""

ALL = 1.0 - 1e-13
"""The chance of anything at all, and what rounding may leave of it."""

Code = tuple[float, float, float]
"""The kind of an attitude, and its numbers."""


class Attitude(Protocol):
    """How chances count: one of the classes here, which kernels know by its code."""

    @property
    def code(self) -> Code: ...

    @property
    def words(self) -> str: ...


@dataclass(frozen=True)
class Expected:
    """Expected utility: chances count as they are."""

    @property
    def code(self) -> Code:
        return (EXPECTED, 0.0, 0.0)

    @property
    def words(self) -> str:
        return "chances count as they are"


@dataclass(frozen=True)
class Prelec:
    """Rank-dependent utility (Quiggin 1982) with the weights w(p) = exp(−β(−ln p)^α) of Prelec (1998).

    With outcomes from the best down, x_1 ≥ x_2 ≥ …, and C_k the chance of one of the first k, a bid is worth
    Σ_k x_k (w(C_k) − w(C_{k−1})).

    Attributes:
        alpha: α; below 1 small chances of the best count for more than they are. 0.65 or so for people.
        beta: β; below 1 all chances of something better count for more.
    """

    alpha: Annotated[float, Bound(above=0), Bound(at_least=0.05, at_most=5)] = 0.65
    beta: Annotated[float, Bound(above=0), Bound(at_least=0.05, at_most=5)] = 1.0

    def __post_init__(self) -> None:
        plain_fields(self, alpha="the α of Prelec's weights", beta="the β of Prelec's weights")

    @property
    def code(self) -> Code:
        return (PRELEC, self.alpha, self.beta)

    @property
    def words(self) -> str:
        beta = "" if self.beta == 1 else f" and β = {numeral(self.beta)}"
        return f"chances have Prelec's weights with α = {numeral(self.alpha)}{beta}"


@dataclass(frozen=True)
class TverskyKahneman:
    """The same with the weights w(p) = p^γ/(p^γ + (1−p)^γ)^{1/γ} of Tversky & Kahneman (1992).

    Attributes:
        gamma: γ; 0.61 or so for people. Below 0.28 the weights would fall somewhere.
    """

    gamma: Annotated[float, Bound(above=0), Bound(at_least=0.28, at_most=5)] = 0.61

    def __post_init__(self) -> None:
        plain_fields(self, gamma="the γ of Tversky and Kahneman's weights")

    @property
    def code(self) -> Code:
        return (TVERSKY_KAHNEMAN, self.gamma, 0.0)

    @property
    def words(self) -> str:
        return f"chances have Tversky and Kahneman's weights with γ = {numeral(self.gamma)}"


@dataclass(frozen=True)
class Disappointment:
    """Choice-acclimating loss aversion (Kőszegi & Rabin 2007): what one might have had is what one compares with.

    A bid is worth Σ_k P_k x_k − Λ·½ Σ_k Σ_l P_k P_l |x_k − x_l| with Λ = η(λ − 1): η the weight of gains and losses beside
    what is had, λ how many times losses count. What is won and what is paid make one payoff, and count together.

    Attributes:
        dread: Λ; above 1 a bidder would choose a bid that is worse whatever happens.
    """

    dread: Annotated[float, Bound(above=0), Bound(at_least=1e-6, at_most=1)] = 0.5

    def __post_init__(self) -> None:
        plain_fields(self, dread="the dread of disappointment")

    @property
    def code(self) -> Code:
        return (DISAPPOINTMENT, self.dread, 0.0)

    @property
    def words(self) -> str:
        return f"a dread of disappointment of {numeral(self.dread)}"


ATTITUDES: dict[str, type[Expected | Prelec | TverskyKahneman | Disappointment]] = {
    "expected": Expected,
    "prelec": Prelec,
    "tversky-kahneman": TverskyKahneman,
    "disappointment": Disappointment,
}
"""What attitudes are called in text."""


def attitude(text: str) -> Attitude:
    """The attitude that a text names: `prelec(0.65)`, `prelec(0.65,0.9)`, `tversky-kahneman(0.61)`, `disappointment(0.5)`.

    Raises:
        AllpayError: if it names none, or its numbers do not fit.

    >>> attitude("prelec(0.65)")
    Prelec(alpha=0.65, beta=1.0)
    """
    match = re.fullmatch(r"\s*([a-z-]+)\s*(?:\(([^()]*)\))?\s*", text.lower())
    if match is None:
        raise AllpayError(f"cannot read the attitude {short(text)}: write it as prelec(0.65) or disappointment(0.5)")
    kind = ATTITUDES[one_of("attitude", match[1], ATTITUDES)]
    try:
        numbers = [float(part) for part in match[2].split(",")] if match[2] else []
    except ValueError:
        raise AllpayError(f"cannot read the numbers of {short(text)}: write it as prelec(0.65)") from None
    most = len(fields(kind))
    if len(numbers) > most:
        raise AllpayError(f"{match[1]} takes at most {most} number{'s' * (most != 1)}: got {short(text)}")
    return kind(*numbers)


@compiled
def weight_of(p, code):  # type: ignore[no-untyped-def]
    """The weight w(p) of the chance p of something at least so good."""
    if p <= 0.0:
        return 0.0
    if p >= ALL:  # chances that sum to 1 but for rounding, which a steep end would make much of
        return 1.0
    if code[0] == PRELEC:
        return math.exp(-code[2] * (-math.log(p)) ** code[1])
    power = p ** code[1]
    return power / (power + (1.0 - p) ** code[1]) ** (1.0 / code[1])


@compiled
def _slope_of(p, code):  # type: ignore[no-untyped-def]
    """w′(p), finite at the ends."""
    p = min(max(p, 1e-9), 1.0 - 1e-9)
    if code[0] == PRELEC:
        log = -math.log(p)
        return weight_of(p, code) * code[2] * code[1] * log ** (code[1] - 1.0) / p
    g, rest = code[1], 1.0 - p
    return weight_of(p, code) * (g / p - (p ** (g - 1.0) - rest ** (g - 1.0)) / (p**g + rest**g))


@compiled
def _better(x, chance, g):  # type: ignore[no-untyped-def]
    """The chance of an outcome that comes before outcome g, from the best down."""
    total = 0.0
    for h in range(len(x)):
        if x[h] > x[g] or (x[h] == x[g] and h < g):
            total += chance[h]
    return total


@compiled
def worth_of(x, chance, code):  # type: ignore[no-untyped-def]
    """What a bid is worth whose outcomes have the utilities x and these chances, both `[terms]`.

    Where only expected utility counts, x·chance may be any sum of terms.
    """
    total = 0.0
    if code[0] == EXPECTED or code[0] == DISAPPOINTMENT:
        for g in range(len(x)):
            total += x[g] * chance[g]
    if code[0] == DISAPPOINTMENT:
        apart = 0.0
        for g in range(len(x)):
            for h in range(g):
                apart += chance[g] * chance[h] * abs(x[g] - x[h])
        total -= code[1] * apart
    elif code[0] != EXPECTED:
        for g in range(len(x)):
            before = _better(x, chance, g)
            total += x[g] * (weight_of(before + chance[g], code) - weight_of(before, code))
    return total


@compiled
def slopes_of(x, chance, code, out):  # type: ignore[no-untyped-def]
    """Fill out `[terms]` with the derivatives of `worth_of` in the chances, up to one number for all, since these sum to 1."""
    terms = len(x)
    for g in range(terms):
        out[g] = x[g]
        if code[0] == DISAPPOINTMENT:
            for h in range(terms):
                out[g] -= code[1] * chance[h] * abs(x[g] - x[h])
        elif code[0] != EXPECTED:
            # a chance more of x[g] is one of all sums that hold it: Σ over h from g down of (x[h] − the next) w′(C_h)
            out[g] = 0.0
            for h in range(terms):
                if h != g and (x[h] > x[g] or (x[h] == x[g] and h < g)):
                    continue
                lower, found = 0.0, False
                for k in range(terms):
                    if (x[k] < x[h] or (x[k] == x[h] and k > h)) and (not found or x[k] > lower):
                        lower, found = x[k], True
                if found:
                    out[g] += (x[h] - lower) * _slope_of(_better(x, chance, h) + chance[h], code)
