"""One kind of bidder, and groups of bidders who are alike."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from allpay.contest.attitudes import Attitude, Expected
from allpay.contest.preferences import Cost, Neutral, OwnCost, OwnUtility, PowerCost, Utility
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError, exactly
from allpay.frozen import LATER, Brief
from allpay.scalars import MOST, above_zero, real, truth, whole


@dataclass(frozen=True)
class Bidder(Brief):
    """One kind of bidder: what it wins for, what bids cost it, and what sets it apart from others.

    Attributes:
        values: what the prize is worth to it: `Private` or `Common`, or a distribution, which is private.
        cost: what a paid bid costs: p for b^p, a `Cost`, or any increasing function that is 0 at 0.
        utility: of money: a `Utility`, or any nondecreasing function.
        max_bid: a cap on its bids; None for none of its own.
        overbidding: whether a bid may exceed its own value.
        head_start, handicap: ranks are decided by head_start + handicap·bid, where the highest bid wins or luck is added to
            bids; with luck on the logarithm of bids there is no head start.
        presence: the chance that it turns up, in (0, 1].
        joy: what it is worth to it, in money, to be ranked first, beside the prize (Sheremeta 2010).
        attitude: how chances count: as they are, or an `Attitude` of another kind.

    Raises:
        AllpayError: if a number is out of its bounds, or something is not what it should be.
    """

    values: "Private | Common" = field(default_factory=Private)
    cost: Cost = field(default_factory=PowerCost)
    utility: Utility = field(default_factory=Neutral)
    max_bid: float | None = None
    overbidding: bool = True
    head_start: float = 0.0
    handicap: float = 1.0
    presence: float = 1.0
    joy: float = field(default=0.0, metadata={LATER: True})
    attitude: Attitude = field(default=Expected(), metadata={LATER: True})

    def __post_init__(self) -> None:
        if not isinstance(self.values, (Private, Common)):
            object.__setattr__(self, "values", Private(self.values))
        if not callable(getattr(self.cost, "cost", None)):
            object.__setattr__(
                self,
                "cost",
                OwnCost(self.cost) if callable(self.cost) else PowerCost(self.cost),  # type: ignore[arg-type]
            )
        if not callable(getattr(self.utility, "utility", None)):
            if not callable(self.utility):
                raise AllpayError(f"utility must be a function of money, or Cara(2): got {str(self.utility)[:60]!r}")
            object.__setattr__(self, "utility", OwnUtility(self.utility))
        if self.max_bid is not None:
            object.__setattr__(self, "max_bid", above_zero("max bid", self.max_bid))
        object.__setattr__(self, "overbidding", truth("overbidding", self.overbidding))
        object.__setattr__(self, "handicap", above_zero("handicap", self.handicap))
        object.__setattr__(self, "head_start", real("head start", self.head_start))
        if not 0 <= self.head_start < math.inf:
            raise AllpayError(f"head start must be at least 0 and finite: got {exactly(self.head_start)}")
        object.__setattr__(self, "presence", above_zero("presence", self.presence))
        if self.presence > 1:
            raise AllpayError(f"presence is a chance, at most 1: got {exactly(self.presence)}")
        object.__setattr__(self, "joy", real("joy", self.joy))
        if not 0 <= self.joy <= MOST:
            raise AllpayError(f"joy must be from 0 to {MOST:g}: got {exactly(self.joy)}")
        if not isinstance(getattr(self.attitude, "code", None), tuple):
            raise AllpayError(f"attitude must be one to chances, as Prelec(0.65): got {str(self.attitude)[:60]!r}")


Groups = tuple[tuple[Bidder, int], ...]
"""Bidders who differ: each kind, and how many there are of it."""


def kinds_of_values(values: Any) -> "tuple[Private | Common, ...]":
    """The values of each kind of bidder; of one kind where all are alike."""
    return tuple(bidder.values for bidder, _ in values) if isinstance(values, tuple) else (values,)


def levels_of(values: Any) -> int:
    """How many values a bidder can have on the grid: the most that a kind of bidder has."""
    return max(kind.levels if isinstance(kind, Private) else 1 for kind in kinds_of_values(values))


def with_levels(values: Any, change: Callable[[int], int]) -> Any:
    """The same values on other grids: private ones with a changed number of levels."""
    if isinstance(values, tuple):
        return tuple((replace(bidder, values=with_levels(bidder.values, change)), n) for bidder, n in values)
    return replace(values, levels=change(values.levels)) if isinstance(values, Private) else values


def groups_of(given: Sequence[Any]) -> Groups:
    """Kinds of bidders with their numbers, checked.

    Raises:
        AllpayError: if they are not pairs of a bidder and a whole number of at least 1.
    """
    groups = []
    for pair in given:
        if isinstance(pair, (tuple, list)) and len(pair) == 2 and _is_values(pair[0]):
            pair = (Bidder(pair[0]), pair[1])  # noqa: PLW2901
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], Bidder)):
            raise AllpayError(f"groups must be pairs of a Bidder and how many of it there are: got {str(pair)[:60]!r}")
        count = whole("the number of bidders of a group", pair[1])
        if count < 1:
            raise AllpayError(f"a group must have at least 1 bidder: got {count}; leave it out if nobody is in it")
        groups.append((pair[0], count))
    if not groups:
        raise AllpayError("there are no bidders: give at least one group")
    return tuple(groups)


def _is_values(given: Any) -> bool:
    """Whether something says how much bidders want to win, of which all else is plain."""
    if isinstance(given, (Bidder, type)):
        return False
    return isinstance(given, (Private, Common)) or callable(getattr(given, "quantile", None))
