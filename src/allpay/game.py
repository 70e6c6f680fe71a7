"""The game that bidders play under a mechanism: their number, values, cost and risk attitude, and the bids allowed.

Exact expected payoffs of this game are in `payoffs`; its equilibria on continuous bids in `theory`.
"""

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.attendance import Field, binomial_field
from allpay.errors import AllpayError, one_of, short
from allpay.frozen import Stateful, asked, derived
from allpay.mechanism import TIES, Mechanism
from allpay.preferences import Cara, Cost, Neutral, OwnCost, OwnUtility, PowerCost, Utility
from allpay.scalars import LEAST, MOST, Bound, above_zero, plain_fields, real, truth, whole
from allpay.success import Highest, Success

Array = NDArray[np.float64]

MOST_CELLS = 10_000_000
"""So many values × bids a game may have at most; each of several tables of a run has a number of 8 bytes for each."""

MOST_AVERSE = 100.0
"""Absolute risk aversion times what can be lost or won is at most this: utilities are then of size e^100."""


CostPower = Annotated[float, Bound(above=0), Bound(at_least=0.01, at_most=100)]
RiskAversion = Annotated[float, Bound(at_least=0), Bound(at_least=LEAST, or_zero=True)]
BidLevels = Annotated[int, Bound(at_least=2)]
MaxBid = Annotated[
    float,
    Bound(above=0, low="be above 0 and finite", at_most=MOST, remedy="leave it out for no cap"),
    Bound(at_least=LEAST),
]
"""Numbers of a game, with their bounds."""

WORDS = {name: name.replace("_", " ") for name in ("cost_power", "risk_aversion", "bid_levels", "max_bid")}
"""What fields of a game are called in messages."""


HIGHEST = Bound(at_least=LEAST, at_most=MOST, or_zero=True)
"""How large the highest value of a distribution may be."""

SHAPE = Bound(at_least=0.01, at_most=1e6)
"""How large the exponents of a distribution may be: beyond, nearly all values are the same number."""


class Distribution(Protocol):
    """A distribution of values, given by its quantile function. Any object with this method will do.

    Where values have a probability of their own, `theory` must be told where they begin and end: by a property `breaks`, the
    quantiles between 0 and 1 at which the function jumps, increasing (see `Discrete`). Other jumps are found.
    """

    def quantile(self, q: ArrayLike) -> Array:
        """The value at each quantile `q` in [0, 1], same shape; nondecreasing, ≥ 0, finite."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Values uniform on [low, high]."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and 0 <= self.low < self.high):
            raise AllpayError(
                f"uniform values need 0 ≤ low < high, both finite: got low {self.low:g}, high {self.high:g}"
            )
        HIGHEST.check("high of uniform values", self.high)

    def quantile(self, q: ArrayLike) -> Array:
        return self.low + (self.high - self.low) * np.asarray(q, float)


@dataclass(frozen=True)
class Power:
    """Values on [0, 1] with distribution function F(v) = v^exponent."""

    exponent: float = 1.0

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.exponent) and self.exponent > 0):
            raise AllpayError(f"power values need an exponent above 0: got {self.exponent:g}")
        SHAPE.check("the exponent of power values", self.exponent)

    def quantile(self, q: ArrayLike) -> Array:
        return np.asarray(q, float) ** (1.0 / self.exponent)


@dataclass(frozen=True)
class Beta:
    """Values on [0, 1] with the Beta(a, b) distribution."""

    a: float
    b: float

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.a) and math.isfinite(self.b) and self.a > 0 and self.b > 0):
            raise AllpayError(f"beta values need a > 0 and b > 0: got a {self.a:g}, b {self.b:g}")
        for name in ("a", "b"):
            SHAPE.check(f"{name} of beta values", getattr(self, name))

    def quantile(self, q: ArrayLike) -> Array:
        from scipy.special import betaincinv

        return betaincinv(self.a, self.b, np.asarray(q, float))


@dataclass(frozen=True)
class Lognormal:
    """Values whose logarithm is normal with this mean and standard deviation, truncated: none is above `high`."""

    mean: float = 0.0
    deviation: float = 1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        plain_fields(self)
        if not (math.isfinite(self.mean) and 0 < self.deviation < math.inf and 0 < self.high < math.inf):
            raise AllpayError(
                "lognormal values need a finite mean of the logarithm, and a deviation and a highest value above 0: "
                f"got {self.mean:g}, {self.deviation:g}, {self.high:g}"
            )
        Bound(at_least=-200, at_most=200).check("the mean of lognormal values", self.mean)
        Bound(at_least=1e-3, at_most=100).check("the deviation of lognormal values", self.deviation)
        HIGHEST.check("high of lognormal values", self.high)

    def quantile(self, q: ArrayLike) -> Array:
        from scipy.special import log_ndtr, ndtri_exp

        below = log_ndtr((math.log(self.high) - self.mean) / self.deviation)
        with np.errstate(divide="ignore"):  # ln 0 at quantile 0, where the value is 0
            # the highest value is told from rounding, which may leave it a little above
            return np.minimum(
                np.exp(self.mean + self.deviation * ndtri_exp(np.log(np.asarray(q, float)) + below)), self.high
            )


@dataclass(frozen=True)
class Discrete:
    """Values that are each of `points` (nondecreasing, ≥ 0) with equal probability."""

    points: tuple[float, ...]

    def __post_init__(self) -> None:
        given = self.points
        if isinstance(given, (str, bytes, Mapping, Set)) or not isinstance(given, Iterable):
            raise AllpayError(f"discrete values must be several numbers: got {short(given)}")
        if getattr(given, "ndim", 1) == 0:
            raise AllpayError(f"discrete values must be several numbers: got {short(given)}")
        points = tuple(real("discrete values", p) for p in islice(given, MOST_CELLS + 1))
        object.__setattr__(self, "points", points)
        ordered = all(x <= y for x, y in zip(self.points, self.points[1:], strict=False))
        if not self.points or not ordered or not all(math.isfinite(p) and p >= 0 for p in self.points):
            raise AllpayError(f"discrete values must be finite, ≥ 0 and nondecreasing: got {short(list(points), 120)}")
        HIGHEST.check("the highest discrete value", points[-1])
        if len(points) > MOST_CELLS:
            raise AllpayError(f"discrete values must be at most {MOST_CELLS:,}: got more; give fewer")

    def quantile(self, q: ArrayLike) -> Array:
        last = len(self.points) - 1
        index = np.clip(np.floor(np.asarray(q, float) * len(self.points)), 0, last).astype(int)
        return np.asarray(self.points)[index]

    @property
    def breaks(self) -> Array:
        """`[jumps]` the quantiles at which one value ends and the next, if it is another, begins."""
        return (np.flatnonzero(np.diff(self.points)) + 1) / len(self.points)


def integers(low: float, high: float) -> Discrete:
    """Each whole number from low to high with equal probability.

    >>> integers(0, 9).points[-1]
    9.0
    """
    low, high = _whole("low of integers", low), _whole("high of integers", high)
    if low > high:
        raise AllpayError(
            f"integers need low ≤ high: low must not exceed high, got low {short(low, 20)}, high {short(high, 20)}"
        )
    _check_levels("integers from low to high", high + 1 - low)
    return Discrete(tuple(range(low, high + 1)))


def steps(low: float, high: float, count: float) -> Discrete:
    """`count` values equally spaced from low to high, each with equal probability.

    >>> steps(0, 1, 3).points
    (0.0, 0.5, 1.0)
    """
    low, high = real("low", low), real("high", high)
    for what, end in (("low", low), ("high", high)):
        if not math.isfinite(end):
            raise AllpayError(f"{what} of steps must be finite: got {end}")
        HIGHEST.check(f"{what} of steps", end)
    number = _whole("count of steps", count)
    _check_levels("count of steps", number)
    return Discrete(tuple(np.linspace(low, high, number)))


def _whole(what: str, given: object) -> int:
    """A whole number, also where it is written as a float, as in the text `integers(0, 9)`."""
    number = real(what.split(maxsplit=1)[0], given)
    if not math.isfinite(number):
        raise AllpayError(f"{what} must be finite: got {number}")
    if not number.is_integer():
        raise AllpayError(f"{what} must be a whole number: got {number:g}")
    return int(number)


def _check_levels(what: str, levels: int) -> None:
    """Raise AllpayError unless so many values can be on a grid."""
    if levels < 1:
        raise AllpayError(f"{what} must be at least 1: got {levels}")
    if levels > MOST_CELLS:
        raise AllpayError(
            f"{what} must be at most {MOST_CELLS:,}: got {levels:,}, {_memory(levels)} a table; give fewer"
        )


def _memory(cells: int) -> str:
    """What a table of so many numbers takes."""
    return f"{8e-9 * min(cells, 10**300):,.3g} GB"


DISTRIBUTIONS: dict[str, Callable[..., Distribution]] = {
    "uniform": Uniform,
    "power": Power,
    "beta": Beta,
    "lognormal": Lognormal,
    "integers": integers,
    "steps": steps,
}


def distribution(text: str) -> Distribution:
    """The distribution that a text names: `uniform(0,1)`, `power(2)`, `beta(2,5)`, `integers(0,9)`.

    Raises:
        AllpayError: if the name is unknown or the numbers do not fit it.

    >>> distribution("beta(2,5)")
    Beta(a=2.0, b=5.0)
    """
    match = isinstance(text, str) and re.fullmatch(r"\s*([a-z-]+)\s*(?:\(([^()]*)\))?\s*", text.lower())
    if not match:
        raise AllpayError(f"cannot read the distribution {short(text)}: write it as uniform(0,1) or beta(2,5)")
    name = one_of("distribution", match[1], DISTRIBUTIONS)
    try:
        numbers = [float(x) for x in match[2].split(",")] if match[2] else []
    except ValueError:
        raise AllpayError(f"cannot read the numbers of {short(text)}: write them as in beta(2,5)") from None
    parameters = inspect.signature(DISTRIBUTIONS[name]).parameters
    usual = all(p.default is not p.empty for p in parameters.values())
    if len(numbers) != len(parameters) and (
        numbers or not usual
    ):  # uniform is uniform(0,1), but uniform(0) may be anything
        most = len(parameters)
        takes = f"{'at most ' if usual and len(numbers) > most else ''}{most} number{'' if most == 1 else 's'}"
        raise AllpayError(f"{name}({','.join(parameters)}) takes {takes}: got {len(numbers)} in {short(text)}")
    return DISTRIBUTIONS[name](*numbers)


DEFAULT_LEVELS = 64


@dataclass(frozen=True)
class Private:
    """Each bidder draws its own value, independently, from one distribution.

    Attributes:
        distribution: of one bidder's value.
        levels: how many values a bidder can have on the grid, V: the quantiles (j+½)/V, each with probability 1/V. If not
            given, 64, or as many as there are points where the distribution is discrete.
    """

    distribution: Distribution = field(default_factory=Uniform)
    levels: int = None  # type: ignore[assignment]  # never None once it is made

    def __post_init__(self) -> None:
        if isinstance(self.distribution, type) or not callable(getattr(self.distribution, "quantile", None)):
            given = self.distribution
            remedy = (
                f"it is a class, so call it with its numbers, as {given.__name__}(…)"
                if isinstance(given, type)
                else "give one, as Uniform(0, 1) or Beta(2, 5), or any object with a method quantile"
            )
            shown = given.__name__ if isinstance(given, type) else short(given)
            raise AllpayError(f"private values need a distribution: got {shown}; {remedy}")
        if asked(self.levels) is None:
            points = self.distribution.points if isinstance(self.distribution, Discrete) else ()
            object.__setattr__(self, "levels", derived(len(points) or DEFAULT_LEVELS))
        plain_fields(self, levels="value levels")
        _check_levels("value levels", self.levels)

    def grid(self) -> Array:
        return values_at(self.distribution, self._quantiles)

    @property
    def exact(self) -> bool:
        """Whether the values of the grid are those of the distribution, each with its probability."""
        points = self.distribution.points if isinstance(self.distribution, Discrete) else ()
        return len(points) > 0 and self.levels % len(points) == 0

    @property
    def highest(self) -> float:
        """The highest value that the distribution allows."""
        *_, below, top = values_at(self.distribution, np.append(self._quantiles, 1.0), infinite=True)
        if not math.isfinite(below):
            raise AllpayError(f"the quantile function of {short(self.distribution)} must be finite below 1")
        return float(top if math.isfinite(top) else below)

    @property
    def _quantiles(self) -> Array:
        """`[values]` of the values on the grid."""
        return (np.arange(self.levels) + 0.5) / self.levels


def values_at(given: Distribution, q: ArrayLike, infinite: bool = False) -> Array:
    """The values at quantiles `q`, same shape, which increase; the distribution may be somebody else's.

    Args:
        given: the distribution.
        q: quantiles in [0, 1], nondecreasing in the order of memory.
        infinite: whether a value may be infinite.

    Raises:
        AllpayError: if they are not numbers, finite, ≥ 0 and nondecreasing, one for each quantile, or cannot be had.
    """
    asked = np.asarray(q, float)
    try:
        found = np.asarray(given.quantile(asked.copy()))  # a copy: it may be changed
    except Exception as error:
        raise AllpayError(f"the quantile function of {short(given)} failed: {type(error).__name__}: {error}") from error
    if found.dtype.kind not in "biuf" or found.shape != asked.shape:
        kind = f"{found.shape} of {found.dtype}"
        raise AllpayError(f"the quantile function of {short(given)} must give a number for each quantile: got {kind}")
    values = found.astype(float)
    fine = not np.isnan(values).any() and (infinite or np.isfinite(values).all())
    if not (fine and np.all(values >= 0) and np.all(values.ravel()[1:] >= values.ravel()[:-1])):
        raise AllpayError(f"the quantile function of {short(given)} must be finite, ≥ 0 and nondecreasing")
    most = float(values.max(initial=0.0, where=np.isfinite(values)))
    if most > MOST:
        raise AllpayError(f"values must be at most {MOST:g}: {short(given)} has {most:g}")
    return values


@dataclass(frozen=True)
class Common:
    """The prize is worth the same, `value`, to every bidder, and all know it (complete information)."""

    value: Annotated[float, Bound(above=0, at_most=MOST)] = 1.0

    def __post_init__(self) -> None:
        plain_fields(self, value="a common value")
        HIGHEST.check("a common value", self.value)

    def grid(self) -> Array:
        return np.array([self.value])

    @property
    def exact(self) -> bool:
        """Whether the values of the grid are all that there are; with `Private` they may stand for many more."""
        return True

    @property
    def highest(self) -> float:
        return self.value


_DERIVED = (
    *(
        "bidders",
        "groups",
        "counts",
        "value_grid",
        "value_grids",
        "bid_grid",
        "costs",
        "cost_grids",
        "allowed",
        "limits",
    ),
    *("efforts", "top_bid", "field", "presence", "turnout", "own_utility"),
)
"""What follows from the fields of a game, in more than one way: no subclass may say otherwise."""


@dataclass(frozen=True)
class Bidder:
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
            raise AllpayError(f"head start must be at least 0 and finite: got {self.head_start:g}")
        object.__setattr__(self, "presence", above_zero("presence", self.presence))
        if self.presence > 1:
            raise AllpayError(f"presence is a chance, at most 1: got {self.presence:g}")


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
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], Bidder)):
            raise AllpayError(f"groups must be pairs of a Bidder and how many of it there are: got {str(pair)[:60]!r}")
        count = whole("the number of bidders of a group", pair[1])
        if count < 1:
            raise AllpayError(f"a group must have at least 1 bidder: got {count}; leave it out if nobody is in it")
        groups.append((pair[0], count))
    if not groups:
        raise AllpayError("there are no bidders: give at least one group")
    return tuple(groups)


@dataclass(frozen=True)
class Game(Stateful):
    """Bidders with values bid on a grid under a mechanism.

    A bidder of value v, bid b and rank k has the money payoff z = v·a_k − p_k·b^cost_power, and the utility z, or
    (1 − e^{−ρz})/ρ with constant absolute risk aversion ρ = risk_aversion > 0.

    Attributes:
        mechanism: what each rank wins and pays, who beats whom, reserve and fee.
        values: private or common, where all bidders are alike; or groups `((Bidder(…), how many), …)` where they differ, which
            then say all about bidders: cost power, risk aversion and overbidding are left as they are.
        cost_power: p of the cost b^p that a paid bid b is to its bidder; revenue counts b.
        risk_aversion: ρ ≥ 0, per unit of money.
        bid_levels: how many bids are allowed, K: equally spaced from 0 to max_bid. Where a bidder may stay out, the first of
            them is to stay out, and the others are spaced from the reserve up.
        max_bid: the cap on bids; without it, the highest value where overbidding is not allowed, else the bid above
            which bidding 0 is at least as good at every rank.
        overbidding: whether a bid may exceed the bidder's own value.
        attendance: who turns up: a `Field`, or the chance of each bidder to be there. Bidders know this, not who is there.

    Raises:
        AllpayError: if a number is out of its bounds, or no cap is given where every bid can be rational.
    """

    mechanism: Mechanism
    values: Any = field(default_factory=Private)  # Private | Common | Groups, which most readers may not be given
    cost_power: CostPower = 1.0
    risk_aversion: RiskAversion = 0.0
    bid_levels: BidLevels = 101
    max_bid: MaxBid | None = None
    overbidding: bool = True
    attendance: Field | float = 1.0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        taken = [name for name in _DERIVED if name in vars(cls)]
        if taken:
            raise AllpayError(
                f"a subclass of Game may have a utility of its own: got {', '.join(taken)}, which not all would follow"
            )

    def __post_init__(self) -> None:
        if not isinstance(self.mechanism, Mechanism):
            raise AllpayError(
                f"a game needs a Mechanism: got {short(self.mechanism)}; give all_pay(3), or use "
                "Game.from_weights(rule, weights)"
            )
        plain_fields(self, **WORDS)
        if isinstance(self.values, (list, tuple)):
            object.__setattr__(self, "values", groups_of(self.values))
            self._check_groups()
        elif not isinstance(self.values, (Private, Common)):
            raise AllpayError(
                f"values must be Private(…) or Common(…): got {short(self.values)}; or give groups, as [(Bidder(…), 2), …]"
            )
        if self.mechanism.may_stay_out and self.bid_levels < 3:
            raise AllpayError(f"bid levels must be at least 3 where bidders may stay out: got {self.bid_levels}")
        self._check_attendance()
        if self.value_levels * self.bid_levels > MOST_CELLS:
            raise AllpayError(
                f"value levels × bid levels must be at most {MOST_CELLS:,}: got {self.value_levels:,} × {self.bid_levels:,}, "
                f"{_memory(self.value_levels * self.bid_levels)} a table; give fewer of either"
            )
        if not self.highest_value > 0:
            raise AllpayError(f"no value is above 0, so that nobody has anything to win: got {short(self.values)}")
        if not math.isfinite(self.top_bid):
            raise AllpayError(
                "a rank that wins more than the last pays nothing, or next to nothing, so any bid can be rational: give max_bid"
            )
        if self.top_bid == 0:
            raise AllpayError("no bid above 1e-308 can be rational: give max_bid, or values in another unit")
        if self.mechanism.reserve > 0 and not self.mechanism.reserve < self.top_bid:
            raise AllpayError(
                f"the reserve must be below the highest bid that can be rational or is allowed, {self.top_bid:.6g}: got "
                f"{self.mechanism.reserve:g}"
            )
        highest = self.highest_value
        worth = highest * self.mechanism.prizes[0]
        if self.mechanism.fee > 0 and self.mechanism.fee >= worth:
            raise AllpayError(
                f"the fee must be below what the first prize is worth to anybody, {worth:.6g}: got {self.mechanism.fee:g}"
            )
        for what, log in (
            ("the highest bid", math.log(self.top_bid)),
            ("what the highest bid costs", self.cost_power * math.log(self.top_bid)),
            ("what all prizes are worth", math.log(highest) + math.log(math.fsum(self.mechanism.prizes))),
        ):
            if log > math.log(MOST):
                raise AllpayError(
                    f"{what} must be at most {MOST:g}: it is more for a highest value of {highest:g}, bids up to "
                    f"{self.top_bid:g} and a cost power of {self.cost_power:g}; give other units, or a lower max_bid"
                )
        most = max(float(self.top_bid**self.cost_power), highest)
        if self.risk_aversion * most > MOST_AVERSE:
            raise AllpayError(
                f"risk aversion must be at most {MOST_AVERSE / most:.4g} where {most:.4g} can be lost or won: got "
                f"{self.risk_aversion:g}; beyond, utilities are no numbers that can be added"
            )

    def _check_groups(self) -> None:
        for name, default in (("cost_power", 1.0), ("risk_aversion", 0.0), ("overbidding", True)):
            if getattr(self, name) != default:
                raise AllpayError(
                    f"{name.replace('_', ' ')} of bidders who differ is said for each of their groups: got "
                    f"{getattr(self, name)} for all"
                )
        total = sum(count for _, count in self.groups)
        if total != self.bidders:
            raise AllpayError(
                f"the groups have {total} bidders together, and the mechanism has {self.bidders} ranks: give as many"
            )
        kinds = [bidder for bidder, _ in self.groups]
        if any(bidder.head_start > 0 for bidder in kinds) and math.isinf(
            float(self.mechanism.success.scores(np.zeros(1))[0])
        ):
            raise AllpayError("a head start has no meaning where luck acts on the logarithm of bids: give a handicap")
        levels = {bidder.values.levels for bidder in kinds if isinstance(bidder.values, Private)}
        if any(max(levels) % level for level in levels):
            raise AllpayError(
                f"the numbers of value levels of groups must divide the largest: got {', '.join(map(str, sorted(levels)))}"
            )

    def _check_attendance(self) -> None:
        given = self.attendance
        if isinstance(given, Field):
            given.among(self.bidders)
        else:
            object.__setattr__(self, "attendance", above_zero("attendance", given))
            if self.attendance > 1:  # type: ignore[operator]
                raise AllpayError(f"attendance is the chance to turn up, at most 1: got {given:g}")

    @classmethod
    def from_weights(
        cls,
        rule: str,
        weights: float | Sequence[float],
        bidders: int | None = None,
        *,
        values: str | Private | Common = "private",
        **options: Any,
    ) -> Self:
        """A game in one line: `Mechanism.from_weights(rule, weights, bidders)` for `private` (uniform) or `common` values.

        Other options are the fields of `Game`.

        >>> Game.from_weights("prizes", 0.8, bidders=3, values="common").bid_levels
        101
        """
        if isinstance(values, str):
            one_of("kind of values", values, ("private", "common"))
            values = Common() if values == "common" else Private()
        return cls(Mechanism.from_weights(rule, weights, bidders), values, **options)

    @property
    def bidders(self) -> int:
        """n, how many bid."""
        return self.mechanism.bidders

    @property
    def grouped(self) -> bool:
        """Whether bidders are given by groups."""
        return isinstance(self.values, tuple)

    @cached_property
    def groups(self) -> Groups:
        """`((bidder, how many), …)`: each kind of bidder; one where all are alike."""
        if isinstance(self.values, tuple):
            return self.values
        utility = Cara(self.risk_aversion) if self.risk_aversion > 0 else Neutral()
        cost = PowerCost(self.cost_power)
        return ((Bidder(self.values, cost, utility, self.max_bid, self.overbidding), self.bidders),)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """`[groups]` how many bidders each has."""
        return np.array([count for _, count in self.groups])

    @property
    def value_levels(self) -> int:
        """V, how many values a bidder can have on the grid: the most that a group has."""
        return levels_of(self.values)

    @property
    def highest_value(self) -> float:
        """The highest value that anybody can have."""
        return max(kind.highest for kind in kinds_of_values(self.values))

    @property
    def exact_values(self) -> bool:
        """Whether the values of the grid are all that there are."""
        return all(kind.exact for kind in kinds_of_values(self.values))

    @cached_property
    def value_grids(self) -> Array:
        """`[groups, values]` the values a bidder of each group can have, each equally likely; a group with fewer levels has
        them repeated."""
        grids = [bidder.values.grid() for bidder, _ in self.groups]
        return np.stack([np.repeat(grid, self.value_levels // len(grid)) for grid in grids])

    @property
    def value_grid(self) -> Array:
        """`[values]` the values a bidder can have, where all bidders are alike."""
        return self._alone(self.value_grids)

    @cached_property
    def bid_grid(self) -> Array:
        """`[bids]` the bids allowed, from 0 up; where a bidder may stay out, that is the first, and the others begin at the
        reserve."""
        if not self.mechanism.may_stay_out:
            return np.linspace(0.0, self.top_bid, self.bid_levels)
        return np.concatenate([[0.0], np.linspace(self.mechanism.reserve, self.top_bid, self.bid_levels - 1)])

    @cached_property
    def cost_grids(self) -> Array:
        """`[groups, bids]` what each bid costs a bidder of each group when it is paid in full."""
        return np.stack([bidder.cost.cost(self.bid_grid) for bidder, _ in self.groups])

    @property
    def costs(self) -> Array:
        """`[bids]` what each bid costs its bidder when it is paid in full, where all bidders are alike."""
        return self._alone(self.cost_grids)

    @cached_property
    def limits(self) -> NDArray[np.int64]:
        """`[groups, values]` how many bids, from 0 up, a bidder of each group and value may make."""
        limits = np.full((len(self.groups), self.value_levels), self.bid_levels)
        for row, values, (bidder, _) in zip(limits, self.value_grids, self.groups, strict=True):
            if bidder.max_bid is not None:
                row[:] = np.searchsorted(self.bid_grid, bidder.max_bid * (1 + 1e-12), side="right")
            if not bidder.overbidding:
                row[:] = np.minimum(row, np.searchsorted(self.bid_grid, values * (1 + 1e-12), side="right"))
        return limits

    @property
    def allowed(self) -> NDArray[np.int64]:
        """`[values]` how many bids, from 0 up, a bidder of each value may make, where all bidders are alike."""
        return self._alone(self.limits)

    @cached_property
    def efforts(self) -> Array:
        """`[groups, bids]` what ranks are decided by before luck: head start + handicap·bid."""
        return np.stack([bidder.head_start + bidder.handicap * self.bid_grid for bidder, _ in self.groups])

    @property
    def top_bid(self) -> float:
        """The highest bid of the grid."""
        if self.max_bid is not None:
            return float(self.max_bid)
        return max(_top(self.mechanism, bidder) for bidder, _ in self.groups)

    @cached_property
    def field(self) -> Field | None:
        """How many turn up, where each set of so many is equally likely; None if everybody is there, or each group has a
        chance of its own."""
        alone = self.groups[0][0].presence if len(self.groups) == 1 else 1.0
        if isinstance(self.attendance, Field):
            return self.attendance.thinned(alone)
        chance = self.attendance * alone
        return binomial_field(self.bidders, chance) if chance < 1 else None

    @cached_property
    def presence(self) -> Array:
        """`[groups]` the chance of a bidder to turn up, beside what `field` says."""
        return np.array([1.0 if len(self.groups) == 1 else bidder.presence for bidder, _ in self.groups])

    @cached_property
    def turnout(self) -> Array:
        """`[groups]` the chance of a bidder to turn up, all told."""
        return self.presence * (1.0 if self.field is None else self.field.mean / self.bidders)

    @property
    def plain(self) -> bool:
        """Whether all bidders are alike and the highest bid wins, ties being broken at random."""
        return len(self.groups) == 1 and not self.mechanism.success.lucky and self.mechanism.ties == "random"

    @property
    def simple(self) -> bool:
        """Whether it has no part beyond bidders who are alike, all there, and the highest bid that wins."""
        return self.plain and self.field is None and not self.mechanism.may_stay_out and not self.grouped

    @property
    def parts(self) -> tuple[str, ...]:
        """What it has beyond that, in words."""
        named = {
            "bidders given by groups": self.grouped,
            "luck": self.mechanism.success.lucky,
            "bidders who may be absent": self.field is not None or bool(np.any(self.presence < 1)),
            "a reserve": self.mechanism.reserve > 0,
            "an entry fee": self.mechanism.fee > 0,
            "ties where all seconds pay": self.mechanism.ties != TIES[0],
        }
        return tuple(name for name, there in named.items() if there)

    def utility_of(self, group: int, money: ArrayLike) -> Array:
        """Utility of a money payoff, any shape, of a bidder of a group; 0 for 0."""
        return self.groups[group][0].utility.utility(money) if self.grouped else self.utility(money)

    def _alone(self, rows: Any) -> Any:
        if len(self.groups) > 1:
            raise AllpayError("bidders of this game differ: look at each of its groups")
        return rows[0]

    @property
    def own_utility(self) -> bool:
        """Whether a subclass has a utility of its own: exact payoffs and learners follow it, theory has no formula for it."""
        return type(self).utility is not Game.utility

    def utility(self, money: ArrayLike) -> Array:
        """Utility of a money payoff, any shape: itself, or (1 − e^{−ρz})/ρ.

        A subclass may have another, increasing and 0 at 0. Studies are of a `Setting`, which has none.
        """
        z = np.asarray(money, float)
        return z if self.risk_aversion == 0 else -np.expm1(-self.risk_aversion * z) / self.risk_aversion


@dataclass(frozen=True)
class Setting:
    """All of a game but its prizes and payments: what stays the same while designs vary. Fields are those of `Game`, and those
    of `Mechanism` that say who beats whom, reserve, fee, and ties."""

    values: Any = field(default_factory=Private)  # Private | Common | Groups, which most readers may not be given
    cost_power: CostPower = 1.0
    risk_aversion: RiskAversion = 0.0
    bid_levels: BidLevels = 101
    max_bid: MaxBid | None = None
    overbidding: bool = True
    attendance: Field | float = 1.0
    luck: Success = field(default_factory=Highest)
    reserve: float = 0.0
    fee: float = 0.0
    ties: str = TIES[0]

    def __post_init__(self) -> None:
        plain_fields(self, **WORDS)
        if isinstance(self.values, (list, tuple)):
            object.__setattr__(self, "values", groups_of(self.values))
        for name in ("reserve", "fee"):
            if not 0 <= getattr(self, name) < math.inf:
                raise AllpayError(f"the {name} must be at least 0 and finite: got {getattr(self, name):g}")
        one_of("way to settle ties", self.ties, TIES)

    def game(self, mechanism: Mechanism) -> Game:
        """This setting under a mechanism, of which prizes and payments are kept."""
        rules = replace(mechanism, success=self.luck, reserve=self.reserve, fee=self.fee, ties=self.ties)
        rest = {name: getattr(self, name) for name in _OF_GAME}
        return Game(rules, **rest)


_OF_GAME = tuple(f.name for f in fields(Game) if f.name != "mechanism")

game = Game.from_weights


def check_game(game: object) -> None:
    """Raise AllpayError unless it is a game."""
    if not isinstance(game, Game):
        remedy = "give Game(mechanism, values)" if isinstance(game, Mechanism) else "give one, as Game(all_pay(3))"
        raise AllpayError(f"a Game is needed: got {short(game)}; {remedy}")


def check_simple(game: Game, who: str) -> None:
    """Raise AllpayError unless it is a game, and has no parts that somebody cannot deal with."""
    check_game(game)
    if not game.simple:
        raise AllpayError(f"{who} knows no {' and no '.join(game.parts)}: choose another, or leave that out")


def undominated_bid(game: Game) -> float:
    """The bid above which no rank is worth its cost, for any bidder; ∞ if there is none. Caps are not looked at."""
    return max(_undominated(game.mechanism, bidder) for bidder, _ in game.groups)


def _top(mechanism: Mechanism, bidder: Bidder) -> float:
    """The highest bid that a bidder may want to make, and may."""
    if bidder.max_bid is not None:
        return float(bidder.max_bid)
    return _undominated(mechanism, bidder) if bidder.overbidding else bidder.values.highest


def _undominated(mechanism: Mechanism, bidder: Bidder) -> float:
    """The bid above which every rank is worth no more to a bidder than the last rank at bid 0; ∞ if none is.

    From v·a_k − p_k·c(b) ≥ v·a_n: c(b) = v·max_k (a_k − a_n)/p_k; where it may stay out, it can be sure of nothing, and a_n
    is left out.
    """
    a, p = mechanism.prizes, mechanism.payments
    sure = 0.0 if mechanism.may_stay_out else a[-1]
    gains = [(a_k - sure, p_k) for a_k, p_k in zip(a, p, strict=True) if a_k > sure]
    if not gains:
        return 1.0  # equal prizes: nobody has a reason to bid, and any grid will do
    ratio = max(gain / p_k if p_k > 0 else math.inf for gain, p_k in gains)
    cost = bidder.values.highest * ratio
    if not math.isfinite(cost):
        return math.inf
    try:
        top = float(bidder.cost.bid(cost))
    except OverflowError:
        return math.inf
    return 1.0 if top == 0 and cost < LEAST else top  # so small a cost comes of prizes that are next to equal
