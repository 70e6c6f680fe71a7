"""The designs that a study may try: weights of ranks, and numbers beside them that are chosen with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from allpay.bounded import Beside, Bounded, called
from allpay.contest.amounts import Amounts, plainly_money, weights_in
from allpay.contest.game import Array, Game, Setting
from allpay.contest.mechanism import RULES, Mechanism, check_bidders, complete_weights
from allpay.errors import AllpayError, exactly, one_of, short
from allpay.frozen import LATER, Stateful, asked, derived
from allpay.scalars import MOST, plain_fields, real, whole
from allpay.simplex import Box, OrderedSimplex, Polytope, spread, too_many_ranks

REGIONS = ("simplex", "box")
"""Where weights lie: nonincreasing and of sum 1, or each anywhere in [0, 1]."""

CHOICES = ("purse", "reserve", "fee", "max-bid", "head-start:2")
"""What can be chosen beside the weights: the sum of all prizes (in units of the values), reserve, fee, the cap on bids, and the
head start of a group, by its number."""

MOST_CHOSEN = 6
"""So many numbers are chosen beside the weights at most."""


def freedom_of(ranks: int, box: bool, tied: Sequence[Sequence[int]], chosen: int) -> int:
    """How many numbers say which design it is, as far as bounds do not fix any: by it the first designs of an active study are
    counted."""
    held = {rank for first, last in tied for rank in range(first, last)}
    return ranks - len(held) - (not box) + chosen


DESIGNS = 0
"""The stream of random numbers, under a study's seed, by which designs are drawn."""


class OneDesignError(AllpayError):
    """Raised where what is allowed is a single design, so that there is nothing to choose.

    Attributes:
        weights: `[bidders]` that design.
    """

    def __init__(self, text: str, polytope: Polytope) -> None:
        super().__init__(text)
        self.weights: Array = polytope.corners[:, 0].sum(axis=0)


@dataclass(frozen=True)
class Choice:
    """A number that is chosen with the weights.

    Attributes:
        name: one of `CHOICES`; a head start has the number of its group, from 1, after a colon.
        low, high: its bounds.

    Raises:
        AllpayError: if the name is unknown, or the bounds are not 0 ≤ low < high.
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise AllpayError(f"what is chosen has a name: got {short(self.name)}; choose from {', '.join(CHOICES)}")
        kind, colon, group = self.name.replace("-", "_").partition(":")
        if (colon or kind == "head_start") and not (kind == "head_start" and group.isdecimal() and 0 < len(group) < 7):
            raise AllpayError(f"a head start is of a group, by its number, as head-start:2: got {short(self.name)}")
        if not colon:
            one_of("choice", kind.replace("_", "-"), CHOICES)
        object.__setattr__(self, "name", f"{kind}{colon}{int(group) if colon else ''}")
        plain_fields(self)
        least = "above 0" if kind in ("purse", "max_bid") else "at least 0"
        if not (0 <= self.low < self.high <= MOST) or (self.low == 0 and least == "above 0"):
            raise AllpayError(
                f"{self.words} is chosen between two numbers, the first {least} and below the second, which is finite: got "
                f"{self.low:g} and {self.high:g}"
            )

    @property
    def group(self) -> int | None:
        """The number of the group whose head start it is, from 0; None for what is the same for all."""
        _, colon, group = self.name.partition(":")
        return int(group) - 1 if colon else None

    @property
    def words(self) -> str:
        """What it is called."""
        return f"the {called(self.name)}"

    def at(self, part: Array) -> Array:
        """The number at a part of the way from the lowest to the highest, any shape."""
        return np.clip(self.low + (self.high - self.low) * part, self.low, self.high)

    def part(self, number: Array) -> Array:
        """How far, from 0 to 1, a number is on this way."""
        return np.clip((number - self.low) / (self.high - self.low), 0.0, 1.0)


def choices_of(given: Any) -> tuple[Choice, ...]:
    """Choices, as they are or as `{"reserve": (0, 0.5)}`.

    Raises:
        AllpayError: if they are neither, too many, or one is there twice.
    """
    if isinstance(given, Mapping):
        for name, bounds in given.items():
            if isinstance(bounds, str) or not isinstance(bounds, Sequence | np.ndarray) or len(bounds) != 2:
                raise AllpayError(f"{short(name)} is chosen between two numbers: got {short(bounds)}")
        given = [Choice(name, *bounds) for name, bounds in given.items()]
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(x, Choice) for x in given):
        raise AllpayError(f'what is chosen beside the weights is given as {{"reserve": (0, 0.5)}}: got {short(given)}')
    if len(given) > MOST_CHOSEN:
        raise AllpayError(f"at most {MOST_CHOSEN} numbers are chosen beside the weights: got {len(given)}")
    names = [choice.name for choice in given]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise AllpayError(f"{twice[0]} is chosen twice: leave one of them out")
    return tuple(given)


@dataclass(frozen=True)
class DesignSpace(Stateful):
    """The designs under one rule: weights of the first `ranks` ranks, nothing on the others; and what is chosen beside them.

    On the `simplex` weights are nonincreasing and sum to 1, under either rule. In the `box`, for `payments` alone, each
    fraction of a bid that a rank pays is free in [0, 1]: prizes share one prize, but there is no such sum that ranks pay. Nor
    are payments in any order there: the mechanism needs none, and losers who pay more than the winner are a case that
    designers know (the sad-loser auction of Riley & Samuelson 1981).

    Attributes:
        rule: `prizes` or `payments`, see `mechanism`.
        bidders: n.
        ranks: m, how many ranks may carry weight; without it all in the box, and on the simplex all but the last, or both of
            two. With n = 3 the simplex is (w, 1−w, 0) for w in [½, 1].
        region: `simplex` or `box`.
        first_at_most, first_at_least: bounds on the weight of the first rank.
        last_at_least: the least weight of rank m.
        at_least: the least weight of each rank, from the first down; of those after the last that is named, 0.
        tied: ranges of ranks `(first, last)` that get the same weight, on the simplex.
        choose: numbers that are chosen with the weights, as `{"reserve": (0, 0.5)}`; see `CHOICES`. With a purse prizes sum to
            it, in units of the values. One rank may then carry all weight.

    Raises:
        AllpayError: if one of these is out of its bounds, or they leave no design; OneDesignError, if only one.
    """

    rule: str = "prizes"
    bidders: int = 3
    ranks: int | None = None
    region: str = "simplex"
    first_at_most: float | None = None
    first_at_least: float | None = None
    last_at_least: float | None = None
    at_least: Sequence[float] | None = field(default=None, metadata={LATER: True})
    tied: Sequence[tuple[int, int]] = field(default=(), metadata={LATER: True})
    choose: Any = field(
        default=(), metadata={LATER: True}
    )  # Mapping[str, tuple[float, float]] | Sequence[Choice], of which the latter is kept

    def __post_init__(self) -> None:
        one_of("rule", self.rule, RULES)
        one_of("region", self.region, REGIONS)
        plain_fields(self)
        check_bidders(self.bidders)
        object.__setattr__(self, "choose", choices_of(self.choose))
        for choice in self.choose:
            if choice.name == "purse" and self.rule != "prizes":
                raise AllpayError(
                    "a purse is split into prizes: under the rule payments there is one item, leave it out"
                )
        self._check_ranks_alike()
        if self.box and self.rule == "prizes":
            raise AllpayError("prizes share one prize, so their weights sum to 1: a box is for the rule payments")
        least = 1 if self.box or self.choose else 2
        if asked(self.ranks) is None:
            named = max([len(self.at_least or ()), *(last for _, last in self.tied)], default=0)
            usual = self.bidders if self.box else max(2, self.bidders - 1, min(named, self.bidders))
            object.__setattr__(self, "ranks", derived(usual))
        if not least <= self.dimension <= self.bidders:
            wrong = too_many_ranks(self.dimension, self.bidders, least)
            raise OneDesignError(wrong, self.weights) if self.dimension == 1 else AllpayError(wrong)
        _ = self.polytope  # what is wrong with the bounds is said at once
        for name in ("first_at_most", "first_at_least", "last_at_least"):
            given = getattr(self, name)
            if given is not None and not 0 <= given <= 1:
                raise AllpayError(f"{name} bounds a weight, which is from 0 to 1: got {short(given)}")
        if self.polytope.freedom == 0:
            raise OneDesignError(
                "these bounds on the weights leave one design alone: loosen one of them, or leave it out", self.polytope
            )

    def _check_ranks_alike(self) -> None:
        """Make plain tuples of the floors and the ties, which lengths and types are looked at."""
        if self.at_least is not None:
            several = isinstance(self.at_least, Sequence | np.ndarray) and not isinstance(self.at_least, str)
            if not several or getattr(self.at_least, "ndim", 1) != 1:
                raise AllpayError(f"at_least is a number for each rank: got {short(self.at_least)}")
            floors = tuple(real("at_least", x) for x in self.at_least)
            if not 1 <= len(floors) <= self.bidders:
                raise AllpayError(
                    f"at_least has a number for each of up to {self.bidders:,} ranks: got {len(floors):,}"
                )
            for rank, x in enumerate(floors, start=1):
                if not 0 <= x <= 1:
                    raise AllpayError(
                        f"at_least bounds weights, which are from 0 to 1: got {exactly(x)} for rank {rank}"
                    )
            object.__setattr__(self, "at_least", floors)
        if isinstance(self.tied, str) or not isinstance(self.tied, Sequence):
            raise AllpayError(f"ranks that get the same are ranges, as [(4, 10)]: got {short(self.tied)}")
        object.__setattr__(self, "tied", tuple(tuple(x) if isinstance(x, Sequence) else x for x in self.tied))
        if self.tied and self.box:
            raise AllpayError("in a box each rank has a weight of its own: leave the ranks that get the same out")

    @property
    def dimension(self) -> int:
        """m, how many ranks may carry weight."""
        assert self.ranks is not None
        return self.ranks

    @property
    def box(self) -> bool:
        """Whether the weights are free of each other."""
        return self.region == "box"

    @property
    def line(self) -> bool:
        """Whether the first weight alone says which design it is."""
        return self.polytope.freedom == 1 and not self.choose

    @property
    def free(self) -> int:
        """How many numbers say which design it is, see `freedom_of`."""
        return freedom_of(self.dimension, self.box, self.tied, len(self.choose))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a design: `w1` … of the ranks, and what is chosen beside them."""
        return (*(f"w{k + 1}" for k in range(self.bidders)), *(choice.name for choice in self.choose))

    @cached_property
    def polytope(self) -> Polytope:
        """The designs as a set of points: the weights, and beside them how far, from 0 to 1, each number that is chosen is from
        its lowest to its highest. To and from designs with the numbers themselves: `points` and `designs`."""
        return Beside(self.weights, len(self.choose)) if self.choose else self.weights

    @property
    def floors(self) -> tuple[float, ...]:
        """`[ranks]` the least weight of each rank that may carry any, as it was said."""
        m = self.dimension
        low = [0.0] * m
        if self.at_least is not None:
            if len(self.at_least) > m and any(self.at_least[m:]):
                raise AllpayError(
                    f"at_least names {len(self.at_least)} ranks, and {m} may carry weight: let more, or name fewer"
                )
            low[: len(self.at_least)] = self.at_least[:m]
        low[-1] = max(low[-1], self.last_at_least or 0.0)
        low[0] = max(low[0], self.first_at_least or 0.0)
        return tuple(low)

    @cached_property
    def weights(self) -> Polytope:
        """The weights alone, as a set of points."""
        m, low = self.dimension, self.floors
        if not self.box:
            several = self.first_at_most is not None and self.first_at_least is not None
            if self.at_least is None and not self.tied and not several:
                return OrderedSimplex(
                    self.bidders, m, self.first_at_most, self.first_at_least, self.last_at_least or 0.0
                )
            return Bounded(self.bidders, low, self.first_at_most, tuple(self.tied))
        high = [1.0] * m
        high[0] = 1.0 if self.first_at_most is None else self.first_at_most
        if high[0] > 1:
            raise AllpayError(f"a rank pays at most its whole bid: got a first weight of at most {high[0]:g}")
        return Box(self.bidders, low, tuple(high))

    def complete(self, weights: float | Sequence[float] | str) -> tuple[float, ...]:
        """The weight of every rank, `[bidders]`; a text gives money, percent or fractions, see `amounts.weights_in`.

        Raises:
            AllpayError: if they are no design under the rule; bounds on the first and last weight are not looked at.
        """
        if isinstance(weights, str):
            if self.box:
                raise AllpayError(f"in a box the part of its bid that each rank pays is a number: got {short(weights)}")
            weights, _ = weights_in(weights, self.rule)
        if not self.box:
            return complete_weights(weights, self.bidders, money=self.rule == "prizes")
        if isinstance(weights, (int, float, Real)):
            raise AllpayError(f"in a box each rank has its own weight: got the one number {weights}")
        try:
            given = tuple(weights)
        except TypeError:
            raise AllpayError(f"weights must be numbers: got {short(weights)}") from None
        if len(given) > self.bidders:
            raise AllpayError(f"too many weights: got {len(given)} for {self.bidders} bidders; give one per bidder")
        alone = (1.0,) + (0.0,) * (self.bidders - 1)
        return Mechanism(alone, given + (0.0,) * (self.bidders - len(given))).payments

    def whole(self, design: float | Sequence[float] | str) -> tuple[float, ...]:
        """A design that is given: the weight of every rank, see `complete`, and after them each number that is to be chosen.

        Raises:
            AllpayError: if it is none, or does not say these numbers within their bounds.
        """
        if not self.choose:
            return self.complete(design)
        n = self.bidders
        given = () if isinstance(design, (str, int, float, Real)) else tuple(design)
        if len(given) != n + len(self.choose):
            raise AllpayError(
                f"designs that are given do not say {self.choose[0].words}, which is to be chosen: leave one out, or give "
                f"{n} weights and {len(self.choose)} more in a row"
            )
        numbers = [real(choice.words, x) for choice, x in zip(self.choose, given[n:], strict=True)]
        for choice, x in zip(self.choose, numbers, strict=True):
            if not choice.low <= x <= choice.high:
                raise AllpayError(
                    f"{choice.words} is chosen from {choice.low:g} to {choice.high:g}: got {x:g} in a design that is given"
                )
        return (*self.complete(given[:n]), *numbers)

    def amounts(self, weights: float | Sequence[float] | str) -> Amounts | None:
        """What weights were given as, if as amounts of money, percent or fractions; None for plain weights."""
        if isinstance(weights, str):
            return weights_in(weights, self.rule)[1]
        if isinstance(weights, (int, float, Real)) or self.rule != "prizes":
            return None
        given = tuple(float(x) for x in weights)
        return Amounts(given, "money") if len(given) > 1 and plainly_money(given) else None

    def points(self, designs: ArrayLike) -> Array:
        """`[..., n]` designs `[..., n]` as points of the polytope."""
        return self._with_numbers(designs, Choice.part)

    def designs(self, points: ArrayLike) -> Array:
        """`[..., n]` points of the polytope as designs: the weights, and what is chosen beside them."""
        return self._with_numbers(points, Choice.at)

    def _with_numbers(self, given: ArrayLike, made: Callable[[Choice, Array], Array]) -> Array:
        """The same weights, and what is made of the numbers after them."""
        rows, n = np.asarray(given, float), self.bidders
        if not self.choose:
            return rows
        numbers = [made(choice, rows[..., n + k]) for k, choice in enumerate(self.choose)]
        return np.concatenate([rows[..., :n], np.stack(numbers, axis=-1)], axis=-1)

    def game(self, setting: Setting, design: float | Sequence[float] | str) -> Game:
        """The game of a setting under a design: its weights, and after them what is chosen beside them."""
        if not self.choose:
            return setting.game(self.mechanism(design))
        assert not isinstance(design, (str, int, float))
        n = self.bidders
        rules = self.mechanism(tuple(design)[:n])
        changed: dict[str, Any] = {}
        groups = setting.values
        for choice, number in zip(self.choose, (float(x) for x in tuple(design)[n:]), strict=True):
            if choice.name == "purse":
                rules = replace(rules, prizes=tuple(number * prize for prize in rules.prizes))
            elif choice.group is not None:
                groups = tuple(
                    (replace(bidder, head_start=number) if g == choice.group else bidder, count)
                    for g, (bidder, count) in enumerate(groups)
                )
            else:
                changed[choice.name] = number
        return replace(setting, values=groups, **changed).game(rules)

    def check_setting(self, setting: Setting) -> None:
        """Raise AllpayError if what is chosen is fixed by the setting already, has no place in it, or cannot be at its ends."""
        for choice in self.choose:
            if choice.group is not None:
                groups = len(setting.values) if isinstance(setting.values, tuple) else 0
                if choice.group >= groups:
                    raise AllpayError(
                        f"{choice.words} is to be chosen, of {groups or 'no'} groups: "
                        "give each kind of bidder with --group or [[bidders]]"
                    )
                if setting.values[choice.group][0].head_start:
                    raise AllpayError(f"{choice.words} is given, and is to be chosen too: leave one of them out")
            elif choice.name != "purse" and getattr(setting, choice.name):
                raise AllpayError(
                    f"{choice.words} is given as {getattr(setting, choice.name):g}, and is to be chosen too: leave one out"
                )
        for design in self.ends if self.choose else ():
            try:
                self.game(setting, design)
            except AllpayError as error:
                ends = design[self.bidders :]
                told = ", ".join(f"{choice.words} {x:g}" for choice, x in zip(self.choose, ends, strict=True))
                raise AllpayError(
                    f"with {told}: {error}; give what is chosen other bounds, or let fewer ranks win"
                ) from None

    @property
    def ends(self) -> list[tuple[float, ...]]:
        """Designs at the ends: the first and the last corner of the weights, in a box the lowest and the highest, with all
        lowest and highest numbers of what is chosen beside them."""
        weights = self.weights.corners.sum(axis=0) if self.box else self.weights.corners[0][[0, -1]]
        numbers = list(product(*((choice.low, choice.high) for choice in self.choose)))
        return [(*row, *beside) for beside in numbers for row in weights.tolist()]

    def mechanism(self, weights: float | Sequence[float] | str) -> Mechanism:
        """The mechanism of weights."""
        if self.box:
            return Mechanism((1.0,) + (0.0,) * (self.bidders - 1), self.complete(weights))
        return Mechanism.from_weights(self.rule, self.complete(weights))

    def sample(self, count: int, seed: int, sampling: str = "uniform") -> Array:
        """`[count, n]` designs spread over the space, see `allpay.simplex.spread`; of a grid, at most so many.

        Unless they are a grid, a longer sample begins with the shorter one.
        """
        return self.designs(spread(self.polytope, whole("count", count), designs_rng(whole("seed", seed)), sampling))


def widened(rows: Array, beside: int, bidders: int) -> Array:
    """Designs `[..., n + beside]` for n bidders, or points of their polytope, as ones for more bidders: the ranks after the
    first n carry nothing, and what is chosen beside the weights comes after them."""
    n = rows.shape[-1] - beside
    nothing = np.zeros((*rows.shape[:-1], bidders - n))
    return np.concatenate([rows[..., :n], nothing, rows[..., n:]], axis=-1)


def designs_rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DESIGNS,)))
