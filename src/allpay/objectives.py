"""What a design can be good for: revenue, the best bids, entries of a quality, entrants, welfare, profit, sums of these.

`objective(text)` reads one; each is a frozen dataclass whose `text` is read as the same again. What it is worth:

    objective("top-3").values(outcome)                  [designs, rounds], exactly, from learned strategies
    objective("top-3").value(Played(game, strategy))    of one profile on the grid           (allpay.contest.measures)
    objective("top-3").value(InTheory(game, found))     of an equilibrium on continuous bids (allpay.theory.measures)

Both of the latter give the expected ranked bids E[b_(1)], E[b_(2)], … themselves by `ranked_bids(how_many)`. Objectives that
are sums of ranked bids, prizes and payoffs say so by `linear`, from which `allpay.theory.designs` has gradients. A new
objective is one class here and one entry in `READ`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from allpay.contest.game import Array, Game
from allpay.contest.measures import Measures, Played
from allpay.contest.mechanism import MOST_BIDDERS
from allpay.errors import AllpayError, one_of, short
from allpay.named import SEPARATOR, in_one_line, module_named
from allpay.scalars import MOST, numeral, real, whole

LONGEST = 300
"""Letters that an objective may have."""

DEEPEST = 8
"""So many objectives lie inside each other, at most."""


class Learned(Protocol):
    """An `Outcome`, as far as objectives look at it."""

    @property
    def games(self) -> tuple[Game, ...]: ...
    @property
    def strategy(self) -> Array: ...
    @property
    def revenue(self) -> Array: ...
    @property
    def highest_bid(self) -> Array: ...
    def of(self, design: int) -> "Learned": ...


@dataclass(frozen=True)
class Linear:
    """A sum of what an equilibrium brings whose derivatives are known.

    Attributes:
        revenue: how much one unit of revenue counts.
        bids: `[ranks]` how much each E[b_(k)] counts, from the highest on.
        prizes: how much one unit of all prizes counts.
        payoff: how much the expected utility of one bidder counts.
    """

    revenue: float = 0.0
    bids: tuple[float, ...] = ()
    prizes: float = 0.0
    payoff: float = 0.0

    def times(self, weight: float) -> "Linear":
        return Linear(
            weight * self.revenue, tuple(weight * b for b in self.bids), weight * self.prizes, weight * self.payoff
        )

    def plus(self, other: "Linear") -> "Linear":
        long, short_ = sorted((self.bids, other.bids), key=len, reverse=True)
        bids = tuple(b + (short_[k] if k < len(short_) else 0.0) for k, b in enumerate(long))
        return Linear(self.revenue + other.revenue, bids, self.prizes + other.prizes, self.payoff + other.payoff)


BIDS, VALUE, NUMBER, CHANCE, NONE = "bids", "value", "number", "chance", ""
"""What an objective is measured in: bids, what prizes are worth, how many bidders, a probability; or none of these."""


class Objective:
    """What a design is good for; each kind is a frozen dataclass."""

    unit: ClassVar[str] = BIDS
    needs: ClassVar[str | None] = None
    own: ClassVar[tuple[str, ...]] = ()

    @property
    def text(self) -> str:
        """How it is written, and read again by `objective`."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return self.text.replace("-", " ")

    @property
    def goal(self) -> str:
        """What a design is to bring: "the most revenue"."""
        return f"highest {self.words}"

    @property
    def column(self) -> str:
        """The name of its column in tables."""
        return self.text

    @property
    def units(self) -> str:
        """What it is measured in, one of the constants above."""
        return self.unit

    @property
    def stored(self) -> bool:
        """Whether the table of a study has it as a column in any case."""
        return False

    @property
    def codes(self) -> tuple[str, ...]:
        """The functions of somebody else's, by name, that it calls."""
        return ()

    @property
    def ranks(self) -> int:
        """How many bidders there must be at least."""
        return 1

    def value(self, measures: Measures) -> float:
        """What it is in a game that is played.

        Raises:
            AllpayError: if that is not known.
        """
        raise NotImplementedError

    def values(self, outcome: Learned) -> Array:
        """`[designs, rounds]` what it is by learned strategies, each a function of its own run alone."""
        return each_run(outcome, self.value)

    def linear(self, game: Game) -> Linear | None:
        """It as a sum of which theory has gradients, if it is one; of a game where all are there and nobody stays out."""
        return None

    def least(self, game: Game) -> float:
        """No outcome of a game can bring less."""
        return 0.0

    def most(self, game: Game) -> float:
        """No outcome of a game can bring more."""
        return math.inf

    def check(self, bidders: int) -> None:
        """Raise AllpayError if it is not defined for so many bidders."""
        if self.ranks > bidders:
            raise AllpayError(f"{self.text} needs at least {self.ranks:,} bidders: got {bidders:,}; give fewer ranks")

    def load(self) -> None:
        """Raise AllpayError if a function that it calls cannot be had."""


def each_run(outcome: Learned, value: Callable[[Measures], float]) -> Array:
    """`[designs, rounds]` a number of every profile of an outcome."""
    return np.array(
        [
            [
                value(Played(game, np.ascontiguousarray(profile), {"revenue": float(paid), "highest_bid": float(top)}))
                for profile, paid, top in zip(profiles, revenue, highest, strict=True)
            ]
            for game, profiles, revenue, highest in zip(
                outcome.games, outcome.strategy, outcome.revenue, outcome.highest_bid, strict=True
            )
        ]
    )


@dataclass(frozen=True)
class Revenue(Objective):
    """The expected sum of payments, without fees."""

    text: ClassVar[str] = "revenue"
    column: ClassVar[str] = "revenue"
    goal: ClassVar[str] = "most revenue"
    stored: ClassVar[bool] = True

    def value(self, measures: Measures) -> float:
        return measures.revenue()

    def values(self, outcome: Learned) -> Array:
        return outcome.revenue

    def linear(self, game: Game) -> Linear:
        return Linear(revenue=1.0)

    def most(self, game: Game) -> float:
        return game.top_bid * float(sum(game.mechanism.payments))


@dataclass(frozen=True)
class HighestBid(Objective):
    """The expected highest bid."""

    text: ClassVar[str] = "highest-bid"
    column: ClassVar[str] = "highest_bid"
    goal: ClassVar[str] = "highest expected top bid"
    stored: ClassVar[bool] = True

    def value(self, measures: Measures) -> float:
        return measures.highest_bid()

    def values(self, outcome: Learned) -> Array:
        return outcome.highest_bid

    def linear(self, game: Game) -> Linear:
        return Linear(bids=(1.0,))

    def most(self, game: Game) -> float:
        return game.top_bid


@dataclass(frozen=True)
class Top(Objective):
    """The mean of the K highest bids, in expectation.

    Attributes:
        count: K.
    """

    count: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", whole("K of top-K", self.count))
        if not 1 <= self.count <= MOST_BIDDERS:
            raise AllpayError(f"K of top-K must be from 1 to {MOST_BIDDERS:,}: got {self.count:,}; write top-3")

    @property
    def text(self) -> str:
        return f"top-{self.count}"

    @property
    def words(self) -> str:
        return f"mean of the {self.count} highest bids" if self.count > 1 else "mean of the highest bid"

    @property
    def ranks(self) -> int:
        return self.count

    def value(self, measures: Measures) -> float:
        return float(measures.ranked_bids(self.count).mean())

    def linear(self, game: Game) -> Linear:
        return Linear(bids=(1.0 / self.count,) * self.count)

    def most(self, game: Game) -> float:
        return game.top_bid


@dataclass(frozen=True)
class RankedBids(Objective):
    """Σ_k c_k E[b_(k)], E[b_(k)] the expected k-th highest bid.

    Attributes:
        coefficients: c_1, c_2, …; any numbers, later ones are 0.
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = tuple(_finite("a coefficient of ranked-bids", c) for c in self.coefficients)
        if not any(numbers):
            raise AllpayError("ranked-bids needs a coefficient that is not 0: write ranked-bids(1,0.5,0.25)")
        object.__setattr__(self, "coefficients", numbers)

    @property
    def text(self) -> str:
        return f"ranked-bids({','.join(map(_number, self.coefficients))})"

    @property
    def words(self) -> str:
        shown = [f"{numeral(c, 3)}" for c in self.coefficients]
        shown = shown if len(shown) <= 5 else [*shown[:4], "…"]
        return f"ranked bids weighted {', '.join(shown)}"

    @property
    def ranks(self) -> int:
        return len(self.coefficients)

    def value(self, measures: Measures) -> float:
        return float(measures.ranked_bids(len(self.coefficients)) @ np.array(self.coefficients))

    def linear(self, game: Game) -> Linear:
        return Linear(bids=self.coefficients)

    def least(self, game: Game) -> float:
        return game.top_bid * sum(min(c, 0.0) for c in self.coefficients)

    def most(self, game: Game) -> float:
        return game.top_bid * sum(max(c, 0.0) for c in self.coefficients)


@dataclass(frozen=True)
class Threshold(Objective):
    """The expected number of bids of at least so much.

    Attributes:
        bid: how much, above 0.
    """

    bid: float
    unit: ClassVar[str] = NUMBER

    def __post_init__(self) -> None:
        _check_level(self, self.bid)

    @property
    def text(self) -> str:
        return f"threshold({_number(self.bid)})"

    @property
    def words(self) -> str:
        return f"number of bids of at least {numeral(self.bid)}"

    def value(self, measures: Measures) -> float:
        return measures.number_at_least(self.bid)

    def most(self, game: Game) -> float:
        return float(game.bidders)


@dataclass(frozen=True)
class ThresholdChance(Objective):
    """The chance that at least so many bid at least so much.

    Attributes:
        bid: how much, above 0.
        count: how many.
    """

    bid: float
    count: int = 1
    unit: ClassVar[str] = CHANCE

    def __post_init__(self) -> None:
        _check_level(self, self.bid)
        object.__setattr__(self, "count", whole("the number of bids of threshold", self.count))
        if not 1 <= self.count <= MOST_BIDDERS:
            raise AllpayError(
                f"the number of bids of threshold must be from 1 to {MOST_BIDDERS:,}: got {self.count:,}; write "
                "threshold(0.4, any) or threshold(0.4, 3)"
            )

    @property
    def text(self) -> str:
        return f"threshold({_number(self.bid)},{'any' if self.count == 1 else self.count})"

    @property
    def words(self) -> str:
        many = "a bid" if self.count == 1 else f"{self.count} bids"
        return f"chance of {many} of at least {numeral(self.bid)}"

    @property
    def ranks(self) -> int:
        return self.count

    def value(self, measures: Measures) -> float:
        return float(measures.at_least(self.bid, self.count)[-1])

    def most(self, game: Game) -> float:
        return 1.0


@dataclass(frozen=True)
class Entrants(Objective):
    """The expected number of bidders who bid above 0; where they may stay out, who do not."""

    unit: ClassVar[str] = NUMBER
    text: ClassVar[str] = "entrants"
    words: ClassVar[str] = "number of entrants"

    def value(self, measures: Measures) -> float:
        return measures.entrants()

    def most(self, game: Game) -> float:
        return float(game.bidders)


@dataclass(frozen=True)
class Welfare(Objective):
    """The expected sum over bidders of the value of what they win, less the cost of what they pay."""

    unit: ClassVar[str] = VALUE
    text: ClassVar[str] = "welfare"

    def value(self, measures: Measures) -> float:
        return measures.welfare()

    def linear(self, game: Game) -> Linear | None:
        neutral = game.risk_aversion == 0 and not game.own_utility
        return Linear(payoff=float(game.bidders)) if neutral else None

    def least(self, game: Game) -> float:
        dearest = float(np.max(game.cost_grids[:, -1]))
        return -dearest * float(sum(game.mechanism.payments))

    def most(self, game: Game) -> float:
        return game.highest_value * float(sum(game.mechanism.prizes))


@dataclass(frozen=True)
class AblestWins(Objective):
    """The chance that the first is one of those with the highest value among all who turn up."""

    unit: ClassVar[str] = CHANCE
    text: ClassVar[str] = "ablest-wins"
    words: ClassVar[str] = "chance that the ablest wins"

    def value(self, measures: Measures) -> float:
        return measures.ablest_wins()

    def most(self, game: Game) -> float:
        return 1.0


@dataclass(frozen=True)
class Profit(Objective):
    """worth × quality − prizes that are handed out + fees.

    Attributes:
        worth: what a unit of the quality is worth to the designer, in units of prizes.
        quality: another objective.
    """

    worth: float
    quality: Objective = Revenue()
    unit: ClassVar[str] = VALUE

    def __post_init__(self) -> None:
        object.__setattr__(self, "worth", _finite("the worth of profit", self.worth))
        if self.worth <= 0:
            raise AllpayError(f"the worth of profit must be above 0: got {numeral(self.worth)}; write profit(2)")

    @property
    def text(self) -> str:
        of = "" if self.quality == Revenue() else f",{self.quality.text}"
        return f"profit({_number(self.worth)}{of})"

    @property
    def words(self) -> str:
        return f"profit ({numeral(self.worth)} × {self.quality.words} − prizes + fees)"

    @property
    def codes(self) -> tuple[str, ...]:
        return self.quality.codes

    @property
    def ranks(self) -> int:
        return self.quality.ranks

    def value(self, measures: Measures) -> float:
        return self.worth * self.quality.value(measures) - measures.prizes() + measures.fees()

    def values(self, outcome: Learned) -> Array:
        return self.worth * self.quality.values(outcome) + each_run(outcome, lambda m: m.fees() - m.prizes())

    def linear(self, game: Game) -> Linear | None:
        found = self.quality.linear(game)
        return None if found is None else found.times(self.worth).plus(Linear(prizes=-1.0))

    def least(self, game: Game) -> float:
        return self.worth * self.quality.least(game) - float(sum(game.mechanism.prizes))

    def most(self, game: Game) -> float:
        return self.worth * self.quality.most(game) + game.bidders * game.mechanism.fee

    def load(self) -> None:
        self.quality.load()


@dataclass(frozen=True)
class Sum(Objective):
    """A sum of objectives with weights.

    Attributes:
        terms: `((weight, objective), …)`; weights are finite and not 0.
    """

    terms: tuple[tuple[float, Objective], ...]

    def __post_init__(self) -> None:
        for weight, _ in self.terms:
            if _finite("a weight", weight) == 0:
                raise AllpayError("a weight of 0 has no effect: leave its objective out")

    @property
    def text(self) -> str:
        return self._written(lambda part: part.text, "*")

    @property
    def words(self) -> str:
        return self._written(lambda part: part.words, " × ")

    def _written(self, name: Callable[[Objective], str], times: str) -> str:
        text = ""
        for weight, part in self.terms:
            sign = (" - " if weight < 0 else " + ") if text else ("-" if weight < 0 else "")
            text += sign + ("" if abs(weight) == 1 else f"{_number(abs(weight))}{times}") + name(part)
        return text

    @property
    def units(self) -> str:
        kinds = {part.units for _, part in self.terms}
        return kinds.pop() if len(kinds) == 1 else NONE

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(code for _, part in self.terms for code in part.codes)

    @property
    def ranks(self) -> int:
        return max(part.ranks for _, part in self.terms)

    def value(self, measures: Measures) -> float:
        return math.fsum(weight * part.value(measures) for weight, part in self.terms)

    def values(self, outcome: Learned) -> Array:
        found = [weight * part.values(outcome) for weight, part in self.terms]
        return np.sum(np.stack(found), axis=0)

    def linear(self, game: Game) -> Linear | None:
        total = Linear()
        for weight, part in self.terms:
            found = part.linear(game)
            if found is None:
                return None
            total = total.plus(found.times(weight))
        return total

    def least(self, game: Game) -> float:
        return sum(w * (part.least(game) if w > 0 else part.most(game)) for w, part in self.terms)

    def most(self, game: Game) -> float:
        return sum(w * (part.most(game) if w > 0 else part.least(game)) for w, part in self.terms)

    def load(self) -> None:
        for _, part in self.terms:
            part.load()


@dataclass(frozen=True)
class Own(Objective):
    """A function of somebody else's, from an `Outcome` to a number for each design and round.

    Attributes:
        name: `package.module:function`.
    """

    name: str
    unit: ClassVar[str] = NONE

    @property
    def text(self) -> str:
        return self.name

    @property
    def words(self) -> str:
        return self.name

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.name,)

    def load(self) -> None:
        self._function()

    def _function(self) -> Callable[[Any], Any]:
        module, _, name = self.name.partition(SEPARATOR)
        found = module_named(module)
        for part in name.split("."):
            if not hasattr(found, part):
                others = [key for key, held in vars(found).items() if callable(held) and not key.startswith("_")]
                one_of(f"function in {module}:", name, others)
            found = getattr(found, part)
        if not callable(found):
            raise AllpayError(f"{self.name} must be a function of an Outcome: got {short(found)}")
        return found

    def value(self, measures: Measures) -> float:
        raise AllpayError(
            f"{self.name} looks at what bidders learned: theory has none of that; simulate the designs instead"
        )

    def values(self, outcome: Learned) -> Array:
        """It is asked for one design after another, so that no number depends on which are learned together."""
        function = self._function()
        return np.concatenate([self._of_design(function, outcome.of(d)) for d in range(len(outcome.games))])

    def _of_design(self, function: Callable[[Any], Any], outcome: Learned) -> Array:
        try:
            found = np.array(function(outcome), float)
        except AllpayError:
            raise
        except (Exception, SystemExit) as error:
            raise AllpayError(f"the objective {self.name} fails: {in_one_line(error)}") from error
        shape = outcome.revenue.shape
        if found.shape != shape:
            raise AllpayError(
                f"the objective {self.name} is asked for one design at a time, and must give a number for each round, in the "
                f"shape {shape} of outcome.revenue: got the shape {found.shape}"
            )
        if not np.all(np.isfinite(found)):
            raise AllpayError(
                f"the objective {self.name} must give finite numbers: got {numeral(found[~np.isfinite(found)][0])}"
            )
        return found

    def least(self, game: Game) -> float:
        return -math.inf


def _check_level(made: Any, bid: float) -> None:
    object.__setattr__(made, "bid", _finite("the bid of threshold", bid))
    if made.bid <= 0:
        raise AllpayError(
            f"the bid of threshold must be above 0: got {numeral(made.bid)}; for who bids at all write entrants"
        )


def _finite(what: str, given: Any) -> float:
    number = real(what, given)
    if not abs(number) <= MOST:
        raise AllpayError(f"{what} must be a finite number, at most {numeral(MOST)} in size: got {numeral(number)}")
    return number


def _number(x: float) -> str:
    """A number with all its digits, whole ones without a point."""
    return f"{x:.0f}" if x.is_integer() and abs(x) < 1e15 else repr(x)


# Reading --------------------------------------------------------------------------------------------------------------


def _no_arguments(kind: type[Objective]) -> Callable[[str, list[str], int], Objective]:
    def read(name: str, arguments: list[str], depth: int) -> Objective:
        if arguments:
            raise AllpayError(f"{name} takes nothing in parentheses: got {short(', '.join(arguments))}; write {name}")
        return kind()

    return read


def _ranked(name: str, arguments: list[str], depth: int) -> Objective:
    return RankedBids(tuple(_read_number(word, "ranked-bids(1,0.5,0.25)") for word in arguments))


def _threshold(name: str, arguments: list[str], depth: int) -> Objective:
    form = "threshold(0.4) for their expected number, or threshold(0.4, any) for the chance of one"
    if not 1 <= len(arguments) <= 2:
        raise AllpayError(f"threshold takes a bid, and perhaps how many: got {len(arguments)} words; write {form}")
    bid = _read_number(arguments[0], form)
    if len(arguments) == 1:
        return Threshold(bid)
    if arguments[1] == "any":
        return ThresholdChance(bid)
    if not arguments[1].isdecimal():
        raise AllpayError(
            f"threshold takes 'any' or a whole number after the bid: got {short(arguments[1])}; write {form}"
        )
    return ThresholdChance(bid, int(arguments[1][:20]))


def _profit(name: str, arguments: list[str], depth: int) -> Objective:
    form = "profit(2), or profit(2, top-3)"
    if not 1 <= len(arguments) <= 2:
        raise AllpayError(f"profit takes a worth, and perhaps a quality: got {len(arguments)} words; write {form}")
    worth = _read_number(arguments[0], form)
    return Profit(worth) if len(arguments) == 1 else Profit(worth, _read(arguments[1], depth + 1))


READ: Mapping[str, Callable[[str, list[str], int], Objective]] = {
    "revenue": _no_arguments(Revenue),
    "highest-bid": _no_arguments(HighestBid),
    "ranked-bids": _ranked,
    "threshold": _threshold,
    "entrants": _no_arguments(Entrants),
    "welfare": _no_arguments(Welfare),
    "ablest-wins": _no_arguments(AblestWins),
    "profit": _profit,
}
"""How each objective is read from its name and what stands in parentheses after it; top-K has its number in its name."""

NAMES = ("revenue", "highest-bid", "top-3", *(name for name in READ if name not in ("revenue", "highest-bid")))
"""Names as messages list them; beside them there are sums, and `module:function`."""

SPOKEN = {
    "best-entry": "highest-bid",
    "best": "highest-bid",
    "total-effort": "revenue",
    "total": "revenue",
    "effort": "revenue",
    "mean-of-the-top-3": "top-3",
}
"""What answers call the objectives, whose names they are not."""

_WORD = re.compile(
    rf"(?P<own>[^\W\d][\w.]*{SEPARATOR}[\w.]+)|(?P<top>[Tt]op-\d+)(?![\w.-])|(?P<name>[^\W\d]\w*(?:-[^\W\d]\w*)*)"
)
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![.\d])")


def objective(text: "str | Objective") -> Objective:
    """The objective that a text names.

    `revenue`, `highest-bid`, `top-3` (the mean of the three highest bids), `ranked-bids(1,0.5,0.25)`, `threshold(0.4)` (how
    many bids of at least .4 are expected), `threshold(0.4, any)` (the chance of one), `threshold(0.4, 3)` (of three),
    `entrants`, `welfare`, `ablest-wins`, `profit(2)` or `profit(2, top-3)`, sums such as `0.7*revenue + 0.3*highest-bid`, and
    `module:function`.

    Raises:
        AllpayError: if it cannot be read, naming what is nearest. No function is imported, see `Objective.load`.

    >>> objective("0.7*revenue + 0.3*top-3").terms[1]
    (0.3, Top(count=3))
    >>> objective("profit(2, ranked-bids(1, .5))").text
    'profit(2,ranked-bids(1,0.5))'
    """
    if isinstance(text, Objective):
        return text
    if not isinstance(text, str):
        raise AllpayError(f"an objective is a text, such as 'top-3': got {short(text)}")
    if len(text) > LONGEST:
        raise AllpayError(f"an objective has at most {LONGEST} letters: got {len(text)}; give fewer terms")
    return _read(text, 0)


def _read(text: str, depth: int) -> Objective:
    """A sum, or the only term of one."""
    if depth > DEEPEST:
        raise AllpayError(f"objectives are nested more than {DEEPEST} deep: got {short(text)}")
    terms: list[tuple[float, Objective]] = []
    place, text = 0, text.strip()
    while place < len(text) or not terms:
        sign = 1.0
        operator = re.compile(r"\s*([+\-−])\s*").match(text, place)
        if operator:
            sign, place = -1.0 if operator[1] in "-−" else 1.0, operator.end()
        elif terms:
            raise AllpayError(
                f"cannot read the objective from {short(text[place:], 40)} on: join objectives by + or −, as in "
                "0.7*revenue + 0.3*highest-bid"
            )
        weight, part, place = _term(text, place, depth)
        terms.append((sign * weight, part))
        place += len(text[place:]) - len(text[place:].lstrip())
    merged: dict[Objective, float] = {}
    for weight, part in terms:
        merged[part] = merged.get(part, 0.0) + weight
    if list(merged.values()) == [1.0]:
        return next(iter(merged))
    return Sum(tuple((weight, part) for part, weight in merged.items()))


def _term(text: str, place: int, depth: int) -> tuple[float, Objective, int]:
    """A weight, an objective, and where it ends."""
    weight, number = 1.0, _NUMBER.match(text, place)
    if number:
        weight, place = float(number[0]), number.end()
        times = re.compile(r"\s*[*×·]\s*").match(text, place)
        if times is None:
            raise AllpayError(f"a weight stands before an objective with *: got {short(text, 60)}; write 0.5*revenue")
        place = times.end()
    word = _WORD.match(text, place)
    if word is None:
        rest = text[place:].strip()
        raise AllpayError(
            f"an objective is missing {'at the end' if not rest else f'before {short(rest, 40)}'}: choose from "
            f"{', '.join(NAMES)}, sums of them, or module:function"
        )
    place = word.end()
    if word["own"]:
        return weight, Own(word["own"]), place
    arguments: list[str] | None = None
    opening = re.compile(r"\s*\(").match(text, place)
    if opening:
        arguments, place = _arguments(text, opening.end())
    if word["top"]:
        if arguments is not None:
            raise AllpayError(f"{word[0]} takes nothing in parentheses: write {word[0]}")
        return weight, Top(int(word["top"][4:][:20])), place
    name = word["name"]
    if name not in READ:
        _unknown(name, text[word.start() :])
    return weight, READ[name](name, arguments or [], depth), place


def _unknown(name: str, rest: str) -> None:
    """Raise AllpayError for a name that is none, with which `rest` begins, naming the nearest."""
    if re.match(r"top(?![a-z])", name.lower()):
        number = re.search(r"\d{1,5}", rest)
        raise AllpayError(
            f"top-K takes a whole number of at least 1 after a hyphen: got {short(rest, 40)}; write "
            f"top-{number[0] if number else 3}"
        )
    plain = name.lower().replace("_", "-")
    plain = SPOKEN.get(plain, plain)
    if plain != name and (plain in READ or plain in SPOKEN.values()):
        raise AllpayError(f"unknown objective {short(name)}: did you mean {plain!r}?")
    numbered = re.match(r"-(\d{1,5})(?![\w.]|\s*[*×·])", rest[len(name) :])  # topp-3, and not revenu-2*top-3
    names = [f"top-{numbered[1]}" if numbered and known == "top-3" else known for known in NAMES]
    one_of("objective", name + (numbered[0] if numbered else ""), names)


def _arguments(text: str, place: int) -> tuple[list[str], int]:
    """What stands between commas up to the parenthesis that closes, and where that is."""
    depth, start, found = 0, place, []
    for i in range(place, len(text)):
        if text[i] == "(":
            depth += 1
        elif text[i] == ")" and depth:
            depth -= 1
        elif text[i] in ",)" and not depth:
            found.append(text[start:i].strip())
            start = i + 1
            if text[i] == ")":
                return found if found != [""] else [], start
    raise AllpayError(f"a parenthesis is not closed in {short(text, 60)}: write threshold(0.4)")


def _read_number(word: str, form: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise AllpayError(f"{short(word, 40)} is no number: write {form}") from None


def objectives(texts: "Sequence[str | Objective]") -> tuple[Objective, ...]:
    """Several objectives, each once.

    Raises:
        AllpayError: if one cannot be read, or is there twice.
    """
    found = tuple(objective(text) for text in texts)
    for i, one in enumerate(found):
        if one in found[:i]:
            raise AllpayError(f"the objective {one.text} is given twice: give it once")
    return found
