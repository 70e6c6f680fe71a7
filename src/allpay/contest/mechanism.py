"""Rank-order mechanisms: what each rank wins, what fraction of its bid it pays, and how ranks are decided. Nothing about who
bids or how.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from numbers import Real
from typing import Any, Self

from allpay.contest.amounts import check_falling, plainly_money
from allpay.contest.success import Highest, Success
from allpay.errors import AllpayError, exactly, one_of, short
from allpay.frozen import Brief
from allpay.scalars import MOST, real, unboxed, whole

RULES = ("prizes", "payments")
"""What a design's weights set: how the prize is split, or who pays how much of its bid."""

TIES = ("random", "seconds-pay")
"""How bids that tie are settled: in a random order, or in such an order but that every loser who ties for the second place pays
what the second pays."""

SUM_TOLERANCE = 1e-6
"""How far the sum of typed weights may be from 1."""

ORDER_TOLERANCE = 1e-12
"""How far a number may exceed the one before it and still count as equal."""

MOST_BIDDERS = 100_000
"""More than this many are refused: one more would change nothing that can be seen, and memory has an end."""


@dataclass(frozen=True)
class Mechanism(Brief):
    """Bids are sorted, ties broken uniformly at random; the bidder of rank k wins `prizes[k]` and pays `payments[k]`·bid.

    Attributes:
        prizes: `[bidders]` share of the item that each rank wins, highest bid first; nonincreasing, ≥ 0.
        payments: `[bidders]` fraction of its own bid that each rank pays, in [0, 1].
        success: who beats whom: the highest bid, or a bid and luck.
        reserve: a bid below it does not count: it wins and pays nothing.
        fee: what everybody pays whose bid counts, whatever its rank. With a reserve or a fee a bidder may stay out.
        ties: `random`, or `seconds-pay`: every loser who ties for the second place pays what the second pays. This is what
            the public code behind the original experiment does; it takes equal prizes after the first rank, equal payments
            after the second, and no luck.

    Raises:
        AllpayError: if a number is not finite, out of its bounds or out of order, or the lengths differ or are below 2.
    """

    prizes: tuple[float, ...]
    payments: tuple[float, ...]
    success: Success = field(default_factory=Highest)
    reserve: float = 0.0
    fee: float = 0.0
    ties: str = "random"

    def __post_init__(self) -> None:
        object.__setattr__(self, "prizes", _as_numbers("prizes", self.prizes))
        object.__setattr__(self, "payments", _as_numbers("payments", self.payments))
        check_bidders(len(self.prizes))
        if len(self.payments) != len(self.prizes):
            raise AllpayError(
                f"prizes and payments must have one number per rank: got {len(self.prizes)} and {len(self.payments)}"
            )
        _check_finite("prizes", self.prizes)
        _check_finite("payments", self.payments)
        _check_ordered("prizes", self.prizes)
        if self.prizes[0] == 0:
            raise AllpayError("there is nothing to win: give the first rank a prize above 0")
        for k, p in enumerate(self.payments, start=1):
            if p > 1:
                raise AllpayError(f"payments must lie in [0, 1]: got {exactly(p)} at position {k}")
        if isinstance(self.success, type) or not callable(getattr(self.success, "sums", None)):
            raise AllpayError(f"success must be a rule such as Highest() or Tullock(1): got {short(self.success)}")
        for name in ("reserve", "fee"):
            (number,) = _as_numbers(f"the {name}", (getattr(self, name),))
            if not (math.isfinite(number) and number >= 0):
                raise AllpayError(f"the {name} must be at least 0 and finite: got {exactly(number)}")
            object.__setattr__(self, name, number)
        one_of("way to settle ties", self.ties, TIES)
        if self.ties != "random":
            alike = len(set(self.prizes[1:])) == 1 and len(set(self.payments[2:])) <= 1
            if self.success.lucky or not alike:
                raise AllpayError(
                    "ties 'seconds-pay' takes equal prizes after the first rank, equal payments after the second and no "
                    "luck: give weights such as these, or ties 'random'"
                )

    @classmethod
    def from_weights(
        cls, rule: str, weights: float | Sequence[float], bidders: int | None = None, **options: Any
    ) -> Self:
        """The mechanism that a rule makes of a design's weights.

        Args:
            rule: `prizes` (every bidder pays its bid, the weights split the prize; Gemp et al. 2022) or
                `payments` (the highest bidder wins the item, the weights are the fractions of their bids that ranks pay).
            weights: w for (w, 1−w, 0, …), or one weight per rank from the highest bid down (missing ones are 0);
                nonincreasing, ≥ 0, of sum 1. Prizes may be amounts of money, each 1 or more, as (7500, 5000, 2500).
            bidders: n; without it, as many as there are weights, at least 3 when `weights` is one number.
            options: the other fields: success, reserve, fee, ties.

        Raises:
            AllpayError: if the rule is unknown or the weights are not such a vector.

        >>> Mechanism.from_weights("prizes", 0.8, bidders=3).prizes
        (0.8, 0.2, 0.0)
        """
        one_of("rule", rule, RULES)
        full = complete_weights(weights, bidders, money=rule == "prizes")
        n = len(full)
        if rule == "prizes":
            return cls(prizes=full, payments=(1.0,) * n, **options)
        return cls(prizes=(1.0,) + (0.0,) * (n - 1), payments=full, **options)

    @property
    def bidders(self) -> int:
        """How many bidders it ranks, n."""
        return len(self.prizes)

    @property
    def may_stay_out(self) -> bool:
        """Whether staying out differs from a bid of 0."""
        return self.reserve > 0 or self.fee > 0


mechanism = Mechanism.from_weights


def first_price(bidders: int) -> Mechanism:
    """The highest bidder wins the item and pays its bid."""
    check_bidders(bidders)
    return Mechanism.from_weights("payments", (1.0,), bidders)


def all_pay(bidders: int) -> Mechanism:
    """The highest bidder wins the item and everyone pays its bid."""
    check_bidders(bidders)
    return Mechanism.from_weights("prizes", (1.0,), bidders)


def complete_weights(
    weights: float | Sequence[float], bidders: int | None = None, money: bool = False
) -> tuple[float, ...]:
    """The weight of every rank, `[bidders]`: w is (w, 1−w, 0, …), a shorter vector is filled up with zeros.

    With `money`, several numbers that can only be amounts of it (each 1 or more, or nothing) become parts of their sum.

    Raises:
        AllpayError: if a weight is not finite or negative, they increase, do not sum to 1, or are more than the bidders.
    """
    given: tuple[float, ...]
    if isinstance(unboxed(weights), Real):
        w = real("weights", weights)
        if not math.isfinite(w):
            raise AllpayError(f"w must be a finite number for (w, 1−w, 0, …): got {w}")
        if w > 1:
            raise AllpayError(
                f"one weight w stands for (w, 1−w, 0, …) and must be at most 1: got {exactly(w)}; give a number "
                f"for each rank, as {exactly(w)},0"
            )
        if w < 1.0 - w - ORDER_TOLERANCE:
            raise AllpayError(f"w must be at least 0.5 for (w, 1−w, 0, …): got {exactly(w)}")
        given = (w, round(1.0 - w, 15))
        bidders = 3 if bidders is None else bidders
    else:
        given = _as_numbers("weights", weights)  # type: ignore[arg-type]  # what is neither is refused
    if bidders is None:
        bidders = max(len(given), 2)
    bidders = check_bidders(bidders)
    if len(given) > bidders:
        raise AllpayError(f"too many weights: got {len(given)} for {bidders} bidders; give at most one per bidder")
    _check_finite("weights", given)
    if money and len(given) > 1 and plainly_money(given):
        check_falling(given)
    _check_ordered("weights", given)
    total = math.fsum(given)
    if money and len(given) > 1 and plainly_money(given):
        given, total = tuple(x / total for x in given), 1.0
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise AllpayError(f"weights must sum to 1: {', '.join(f'{w:g}' for w in given)} sum to {total:g}")
    return given + (0.0,) * (bidders - len(given))


def check_bidders(bidders: int) -> int:
    """How many bidders there are, as a plain number.

    Raises:
        AllpayError: unless they are at least two, and not more than can be reckoned with.
    """
    n = whole("bidders", bidders)
    if n < 2:
        raise AllpayError(f"an auction needs at least 2 bidders: got {n}")
    if n > MOST_BIDDERS:
        raise AllpayError(f"bidders must be at most {MOST_BIDDERS:,}: got {n:,}; give fewer")
    return n


def _as_numbers(what: str, given: Iterable[float]) -> tuple[float, ...]:
    if isinstance(given, (str, bytes)):
        raise AllpayError(f"{what} must be numbers: got the text {short(given)}; give them without quotes")
    try:
        numbers = tuple(islice(given, MOST_BIDDERS + 1))
    except TypeError:
        raise AllpayError(f"{what} must be a number, or several: got {short(given)}") from None
    return tuple(real(what, x) for x in numbers)


def _check_finite(what: str, numbers: Sequence[float]) -> None:
    for k, x in enumerate(numbers, start=1):
        if not math.isfinite(x):
            raise AllpayError(f"{what} must be finite numbers: got {x} at position {k}")
        if x > MOST:
            raise AllpayError(f"{what} must be at most {MOST:g}: got {exactly(x)} at position {k}")
        if x < 0:
            raise AllpayError(f"{what} must not be negative: got {exactly(x)} at position {k}")


def _check_ordered(what: str, numbers: Sequence[float]) -> None:
    for k in range(1, len(numbers)):
        if numbers[k] > numbers[k - 1] + ORDER_TOLERANCE:
            raise AllpayError(
                f"{what} must be nonincreasing: got {exactly(numbers[k - 1])} before {exactly(numbers[k])} "
                f"(positions {k}, {k + 1})"
            )
