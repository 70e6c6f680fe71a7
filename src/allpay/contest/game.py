"""The game that bidders play under a mechanism: their number, values, cost and risk attitude, and the bids allowed.

Exact expected payoffs of this game are in `payoffs`; its equilibria on continuous bids in `theory`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.contest.attendance import Field, binomial_field
from allpay.contest.bidder import Bidder, Groups, groups_of, kinds_of_values, levels_of
from allpay.contest.mechanism import TIES, Mechanism
from allpay.contest.preferences import Cara, Neutral, PowerCost
from allpay.contest.success import Highest, Success
from allpay.contest.values import MOST_CELLS, Common, Private, memory_of
from allpay.errors import AllpayError, exactly, one_of, short
from allpay.frozen import Brief, Stateful
from allpay.scalars import LEAST, MOST, Bound, above_zero, numeral, plain_fields

Array = NDArray[np.float64]

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
    *("efforts", "top_bid", "field", "presence", "turnout", "own_utility", "attitudes", "joys", "beside_money"),
)
"""What follows from the fields of a game, in more than one way: no subclass may say otherwise."""


def as_values(given: Any) -> Any:
    """Values as they may be given: a distribution is that of private values, and groups are a list of bidders with how many
    there are of each. What is none of these stays as it is.

    >>> from allpay.contest.values import Beta
    >>> as_values(Beta(2, 5)) == Private(Beta(2, 5))
    True
    """
    if isinstance(given, (list, tuple)):
        return groups_of(given)
    alone = not isinstance(given, (type, Private, Common)) and callable(getattr(given, "quantile", None))
    return Private(given) if alone else given


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
        object.__setattr__(self, "values", as_values(self.values))
        if isinstance(self.values, tuple):
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
                f"{memory_of(self.value_levels * self.bid_levels)} a table; give fewer of either"
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
                f"the reserve must be below the highest bid that can be rational or is allowed, {numeral(self.top_bid)}: got "
                f"{numeral(self.mechanism.reserve)}"
            )
        highest = self.highest_value
        worth = highest * self.mechanism.prizes[0] + float(self.joys.max())
        if self.mechanism.fee > 0 and self.mechanism.fee >= worth:
            raise AllpayError(
                f"the fee must be below what the first prize is worth to anybody, {numeral(worth)}: got "
                f"{numeral(self.mechanism.fee)}"
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
                raise AllpayError(f"attendance is the chance to turn up, at most 1: got {exactly(given)}")

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
        if self.grouped:
            return self.groups[group][0].utility.utility(money)
        worth = self.utility(money)
        if self.own_utility and (
            np.shape(worth) != np.shape(money) or not np.all(np.isfinite(np.asarray(worth, float)))
        ):
            name = f"{type(self).__name__}.utility"
            raise AllpayError(f"{name} must give a finite number for each payoff in money: got {short(worth)}")
        return worth

    @property
    def beside_money(self) -> str:
        """What bidders care for beside the expected utility of money, in words; empty if nothing."""
        joy = "joy of winning" if self.joys.any() else ""
        chances = "an attitude to chances" if self.attitudes.any() else ""
        return " and ".join(filter(None, (joy, chances)))

    @cached_property
    def attitudes(self) -> Array:
        """`[groups, 3]` the codes of what bidders make of chances; zeros where it is their expected utility."""
        return np.array([bidder.attitude.code for bidder, _ in self.groups], float)

    @cached_property
    def joys(self) -> Array:
        """`[groups]` what it is worth to be the first, in money, beside the prize."""
        return np.array([bidder.joy for bidder, _ in self.groups])

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
class Setting(Brief):
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
        object.__setattr__(self, "values", as_values(self.values))
        for name in ("reserve", "fee"):
            if not 0 <= getattr(self, name) < math.inf:
                raise AllpayError(f"the {name} must be at least 0 and finite: got {exactly(getattr(self, name))}")
        one_of("way to settle ties", self.ties, TIES)

    def game(self, mechanism: Mechanism) -> Game:
        """This setting under a mechanism, of which prizes and payments are kept."""
        rules = replace(mechanism, success=self.luck, reserve=self.reserve, fee=self.fee, ties=self.ties)
        rest = {name: getattr(self, name) for name in _OF_GAME}
        return Game(rules, **rest)


_OF_GAME = tuple(f.name for f in fields(Game) if f.name != "mechanism")

game = Game.from_weights


def check_expected_utility(who: str, game: Game) -> None:
    """Raise AllpayError if a bidder has an attitude to chances, which who learns or plays from single auctions cannot know."""
    if game.attitudes.any():
        raise AllpayError(
            f"{who} is for bidders whose chances count as they are, for it sees no chances: got an attitude to them; take "
            "fictitious-play or logit-equilibrium, or leave the attitude out"
        )


def check_game(game: object) -> None:
    """Raise AllpayError unless it is a game."""
    if not isinstance(game, Game):
        remedy = "give Game(mechanism, values)" if isinstance(game, Mechanism) else "give one, as Game(all_pay(3))"
        raise AllpayError(f"a Game is needed: got {short(game)}; {remedy}")


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
    first = a[0] + bidder.joy / bidder.values.highest if bidder.joy else a[0]
    gains = [(a_k - sure, p_k) for a_k, p_k in zip((first, *a[1:]), p, strict=True) if a_k > sure]
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
