"""The equilibrium of any game on continuous bids: which formula holds for it, or why none does.

The formulas are in the modules beside this one; here a game is read in their terms, and what they find in those of the game.
Bidders are alike if their groups are: a group without a part that the simple game lacks is played as the simple game.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from allpay.concave import Concave
from allpay.contest import attendance, success
from allpay.contest.bidder import Bidder
from allpay.contest.game import Array, Game, check_game
from allpay.contest.mechanism import TIES, Mechanism
from allpay.contest.preferences import Cara, Neutral, PowerCost
from allpay.contest.preferences import Cost as AnyGameCost
from allpay.contest.values import Common, Discrete
from allpay.errors import AllpayError
from allpay.scalars import numeral
from allpay.theory import effort, tournament
from allpay.theory.entry import costs_by_falls, entry_equilibrium, with_gradients
from allpay.theory.field import Rivals
from allpay.theory.known import known_values
from allpay.theory.noformula import NoFormula
from allpay.theory.overnodes import inverse_of, over_nodes
from allpay.theory.quantiles import base_edges, breaks_of, in_panels
from allpay.theory.symmetric import OWN_UTILITY, QUANTILES, Equilibrium, Play, symmetric_equilibrium
from allpay.theory.tullock import alike_tullock, unlike_tullock
from allpay.theory.unlike import two_bidders

MOST_SIZES = 1_000
"""So many different numbers of bidders may turn up, for theory to average over them."""

SLACK = 1e-9
"""The part by which a bid may pass a limit and still count as within it: rounding."""


@np.errstate(under="ignore")  # whatever the user has set: a probability of 1e-400 is 0
def equilibrium(game: Game) -> Equilibrium | None:
    """The equilibrium of a game when every bid from 0 to its cap is allowed; None where none is known.

    `why_no_equilibrium` says why. Bidders of a group bid alike; there may be other equilibria. The settings:

    - bidders alike, the highest bid wins, everybody is there: see `symmetric_equilibrium`, also for caps and risk aversion;
    - the same where bidders may be absent, their number is random, or there are a reserve, a fee or a cost of one's own,
      risk-neutral: `entry_equilibrium`;
    - two bidders who differ, private values: `two_bidders`;
    - bidders who differ and know each other's values, winner takes all: the strongest two, or the strongest and the group
      next to it, bid: `known_values`;
    - luck, values known to all, everybody pays: `alike_tullock` and `tournament` for bidders alike, `unlike_tullock` for
      bidders who differ; pure equilibria.

    Raises:
        AllpayError: if the quantile function of the values is not finite, ≥ 0 and nondecreasing.

    >>> from allpay.contest.bidder import Bidder
    >>> from allpay.contest.game import Game, game
    >>> from allpay.contest.values import Common
    >>> from allpay.contest.mechanism import all_pay
    >>> round(equilibrium(game("prizes", 0.8, 3, values="common")).highest_bid, 6)
    0.54
    >>> round(equilibrium(Game(all_pay(3), [(Bidder(Common(v)), 1) for v in (1, 0.8, 0.5)])).revenue, 6)
    0.72
    """
    found = _solve(game)
    return None if isinstance(found, str) else found


@np.errstate(under="ignore")
def why_no_equilibrium(game: Game) -> str | None:
    """One sentence that says why `equilibrium` returns None; None where it returns an equilibrium.

    Raises:
        AllpayError: as `equilibrium`.
    """
    found = _solve(game)
    return found if isinstance(found, str) else None


def _solve(game: Game) -> Equilibrium | str:
    """The equilibrium, or the sentence that says why there is none."""
    check_game(game)
    if game.simple:
        return symmetric_equilibrium(game)
    if game.own_utility:
        return OWN_UTILITY
    if game.beside_money:
        return f"there is no formula for {game.beside_money}"
    if game.mechanism.ties != TIES[0]:
        found = _solve(replace(game, mechanism=replace(game.mechanism, ties=TIES[0])))
        if isinstance(found, str) or found.pooled_from is None:
            return found  # bids above 0 tie with probability 0, so that it does not matter how ties are settled
        return "bids pool at the cap, where they tie, and there is no formula for ties where all seconds pay"
    bidder = alike(game)
    if bidder is None:
        return _unlike(game)
    if game.mechanism.success.lucky:
        return _lucky(game, bidder)
    return _plain(game, bidder) or _entry(game, bidder)


# Bidders alike --------------------------------------------------------------------------------------------------------


def alike(game: Game) -> Bidder | None:
    """The one kind of bidder that there is; None if there are several."""
    first, *others = (_without_levels(bidder) for bidder, _ in game.groups)
    return game.groups[0][0] if all(_same(first, other) for other in others) else None


def _without_levels(bidder: Bidder) -> Bidder:
    """The same on another grid, which theory does not see."""
    return bidder if isinstance(bidder.values, Common) else replace(bidder, values=replace(bidder.values, levels=1))


def _same(one: Bidder, other: Bidder) -> bool:
    try:
        return bool(one == other)
    except (TypeError, ValueError):  # parts of one's own that cannot be compared
        return False


def _plain(game: Game, bidder: Bidder) -> Equilibrium | str | None:
    """Where all are there and nobody stays out: the simple game, with bids in the unit in which their cost has the scale 1.

    None where it is not so, or the simple game knows no such bidder.
    """
    cost, utility, m = bidder.cost, bidder.utility, game.mechanism
    simple = isinstance(cost, PowerCost) and isinstance(utility, Neutral | Cara)
    if m.may_stay_out or game.field is not None or np.any(game.presence < 1) or not simple:
        return None
    assert isinstance(cost, PowerCost)
    unit, cap = cost.scale ** (1 / cost.power), _cap(game, bidder)
    try:
        short = Game(
            Mechanism(m.prizes, m.payments),
            bidder.values,
            cost.power,
            utility.aversion if isinstance(utility, Cara) else 0.0,
            game.bid_levels,
            None if cap is None else cap * unit,
            bidder.overbidding or unit != 1,
        )
    except AllpayError as error:
        return f"there is no formula here: {error}"
    found = symmetric_equilibrium(short)
    if isinstance(found, str):
        return found
    (play,) = found.groups
    bids = play._bid if unit == 1 else partial(_in_unit, play._bid, unit)
    fault = None if unit == 1 else _beyond(bids, bidder, None)
    if fault:
        return fault
    played = replace(play, mean_bid=play.mean_bid / unit, _bid=bids)
    return replace(
        found,
        revenue=found.revenue / unit,
        highest_bid=found.highest_bid / unit,
        bid=found.bid / unit,
        _bid=bids,
        groups=_for_each(game, played),
    )


def _entry(game: Game, bidder: Bidder) -> Equilibrium | str:
    """Absence, a reserve, a fee or a cost of one's own."""
    m = game.mechanism
    if not isinstance(bidder.utility, Neutral):
        return _not_neutral(game)
    field, cost = field_of(game, bidder), _cost(game, bidder)
    if isinstance(field, str):
        return field
    if isinstance(cost, str):
        return cost
    values = known_value(bidder)
    found = entry_equilibrium(
        values if values is not None else bidder.values.distribution,  # type: ignore[union-attr]
        field,
        _trimmed(m.prizes, 0.0),
        _trimmed(m.payments, m.payments[-1]),
        cost,
        m.reserve,
        m.fee,
    )
    if isinstance(found, NoFormula):
        return found.reason
    play = Play(game.bidders, found.mean_bid, found.entry, found.win, found.payoff, found.bid_at)
    return _beyond(found.bid_at, bidder, _cap(game, bidder)) or _of_alike(
        game, play, found.revenue, found.highest_bid, found.fees
    )


BidsInPrizes = Callable[[Array], tuple[float, Array]]
"""From prizes `[n]` to a sum of bids and its derivatives in them `[n]`; no numbers (nan) where there is no equilibrium."""


def in_short(game: Game) -> Game | None:
    """The game in its short form, if it is one of bidders alike without a part that the simple game lacks; None otherwise."""
    bidder = alike(game)
    if (
        bidder is None
        or game.own_utility
        or game.beside_money
        or game.mechanism.ties != TIES[0]
        or game.mechanism.success.lucky
    ):
        return None
    cost, utility, m = bidder.cost, bidder.utility, game.mechanism
    known = isinstance(cost, PowerCost) and cost.scale == 1 and isinstance(utility, Neutral | Cara)
    if not known or m.may_stay_out or game.field is not None or np.any(game.presence < 1):
        return None
    assert isinstance(cost, PowerCost)
    aversion = utility.aversion if isinstance(utility, Cara) else 0.0
    rules = Mechanism(m.prizes, m.payments)
    cap = _cap(game, bidder)
    return Game(rules, bidder.values, cost.power, aversion, game.bid_levels, cap, bidder.overbidding)


def bids_in_prizes(game: Game, counted: Array, ranks: int | None = None) -> BidsInPrizes | Concave | str:
    """Σ_k counted_k E[b_(k)] as a function of the prizes where bidders alike may be absent, or a reserve, a fee or a cost of
    one's own sets the game apart from the simple one; or the sentence that says why there is no such function.

    Its gradient is `entry.with_gradients`; if only so many ranks may have a prize, derivatives in others are left at 0. Where
    all enter under any prizes, and nothing bounds their bids, it may be a concave function.
    """
    m, bidder = game.mechanism, alike(game)
    if game.own_utility:
        return OWN_UTILITY
    if game.beside_money:
        return f"theory has no objective for designs where there is {game.beside_money}"
    if bidder is None:
        return "theory has no objective for designs of contests in which bidders differ"
    if m.success.lucky or m.ties != TIES[0]:
        return f"theory has no objective for designs of contests with {_parts(game)}"
    if not isinstance(bidder.utility, Neutral):
        return _not_neutral(game)
    field, cost, known = field_of(game, bidder), _cost(game, bidder), known_value(bidder)
    if isinstance(field, str):
        return field
    if isinstance(cost, str):
        return cost
    values = known if known is not None else bidder.values.distribution  # type: ignore[union-attr]

    weights = _trimmed(tuple(counted.tolist()), float(counted[-1]))
    if not m.may_stay_out and set(m.payments) == {1.0} and _cap(game, bidder) is None and bidder.overbidding:
        first = game.bidders if ranks is None else ranks
        found = costs_by_falls(values, field, first, weights)
        if not isinstance(found, NoFormula):
            by_falls, counts = found
            by_falls = np.pad(
                by_falls, ((0, 0), (0, game.bidders - first)), mode="edge"
            )  # further prizes are not looked at
            inverse = inverse_of(cost, float(by_falls.max()))
            concave = over_nodes(by_falls, counts, inverse, np.zeros(game.bidders))
            if concave is not None:
                return concave

    def of_prizes(prizes: Array) -> tuple[float, Array]:
        nothing = np.nan, np.full(len(prizes), np.nan)
        try:
            at = replace(game, mechanism=replace(m, prizes=tuple(prizes.tolist())))
        except AllpayError:  # these prizes rise, say, or nobody can want to reach the reserve
            return nothing
        paid = _trimmed(m.payments, m.payments[-1])
        solved = with_gradients(values, field, at.mechanism.prizes[:ranks], paid, cost, m.reserve, m.fee, weights)
        if isinstance(solved, NoFormula) or _beyond(solved[0].bid_at, bidder, _cap(at, bidder)):
            return nothing
        slopes = np.zeros(len(prizes))
        slopes[: len(solved[1].prizes)] = solved[1].prizes
        return solved[1].value, slopes

    return of_prizes


def _lucky(game: Game, bidder: Bidder) -> Equilibrium | str:
    """Luck: a pure equilibrium, which a reserve or a fee does not change if the bid reaches the one and pays for the other."""
    m, value, paid = game.mechanism, known_value(bidder), _paid_by_all(game)
    if value is None:
        return "with luck there is a formula only where all know each other's values"
    if not isinstance(bidder.utility, Neutral):
        return "with luck there is a formula for risk-neutral bidders only"
    if isinstance(paid, str):
        return paid
    field, cost = field_of(game, bidder), _cost(game, bidder, paid)
    if isinstance(field, str):
        return field
    if isinstance(cost, str):
        return cost
    prizes, r, law = _trimmed(m.prizes, 0.0), _tullock(m.success), _noise(m.success, bidder.handicap)
    if r is not None and isinstance(cost, PowerCost):
        found = alike_tullock(field, prizes, r, value, cost.power, cost.scale)
    elif r is not None:
        law = tournament.Gumbel(1 / r)  # on the logarithm of the bid it is the same contest
        found = tournament.tournament(law, field, prizes, value, cost, on_logarithm=True)
    elif law is not None:
        found = tournament.tournament(law, field, prizes, value, cost, getattr(m.success, "log", False))
    else:
        return f"there is no formula for ranks that are decided by {m.success.words}"
    if isinstance(found, NoFormula):
        return found.reason
    payoff = found.payoff - m.fee
    fault = _kept_out(game, found.bid, found.payoff)
    if fault:
        return fault
    bids = partial(_constant, found.bid)
    entry = 1.0 if m.may_stay_out or found.bid > 0 else 0.0
    play = Play(game.bidders, found.bid, entry, field.somebody / field.expected, payoff, bids)
    return _beyond(bids, bidder, _cap(game, bidder)) or _of_alike(
        game, play, found.revenue * paid, found.highest_bid, field.expected * m.fee
    )


def _of_alike(game: Game, play: Play, revenue: float, highest_bid: float, fees: float) -> Equilibrium:
    grid = np.linspace(0.0, 1.0, QUANTILES)
    return Equilibrium(
        revenue=revenue,
        highest_bid=highest_bid,
        payoff=play.payoff,
        pooled_from=None,
        quantile=grid,
        bid=play.bid_at(grid),
        _bid=play._bid,
        fees=fees,
        groups=_for_each(game, play),
    )


def _for_each(game: Game, play: Play) -> tuple[Play, ...]:
    """What bidders alike do, for each group in which they are given."""
    return tuple(replace(play, bidders=count) for _, count in game.groups)


# Bidders who differ ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Contest:
    """Bidders who differ, in the terms of formulas that give one prize.

    Attributes:
        game: the game.
        prize, rest: what the first wins beyond the others, and what everybody wins.
        paid: the fraction of its bid that everybody pays.
        power: of everybody's cost.
        scales: `[groups]` of a bid in full.
        known: `[groups]` the value that all know; None for private values.
    """

    game: Game
    prize: float
    rest: float
    paid: float
    power: float
    scales: Array
    known: tuple[float | None, ...]

    @property
    def values(self) -> Array:
        """`[groups]` where all are known."""
        return np.array([v for v in self.known if v is not None])

    def outcome(self, plays: Iterable[Play], highest_bid: float) -> Equilibrium | str:
        """The equilibrium in which each group does this, its fees not yet paid, if its limits allow that."""
        m = self.game.mechanism
        plays = tuple(replace(play, payoff=play.payoff - m.fee * play.entry) for play in plays)
        for (bidder, _), play in zip(self.game.groups, plays, strict=True):
            fault = _beyond(play.bid_at, bidder, _cap(self.game, bidder))
            if fault:
                return fault
        counts, grid = self.game.counts, np.linspace(0.0, 1.0, QUANTILES)
        return Equilibrium(
            revenue=self.paid * float(counts @ np.array([play.mean_bid for play in plays])),
            highest_bid=highest_bid,
            payoff=float(counts @ np.array([play.payoff for play in plays])) / self.game.bidders,
            pooled_from=None,
            quantile=grid,
            bid=np.full(QUANTILES, np.nan),
            _bid=_differ,
            fees=m.fee * float(counts @ np.array([play.entry for play in plays])),
            groups=plays,
        )


def _unlike(game: Game) -> Equilibrium | str:
    m, kinds = game.mechanism, [bidder for bidder, _ in game.groups]
    paid, costs = _paid_by_all(game), [bidder.cost for bidder in kinds if isinstance(bidder.cost, PowerCost)]
    known = tuple(known_value(bidder) for bidder in kinds)
    tullock = _tullock(m.success)
    if not all(isinstance(bidder.utility, Neutral) for bidder in kinds):
        return "for bidders who differ there is a formula only where all are risk-neutral"
    if game.field is not None or np.any(game.presence < 1):
        return "for bidders who differ there is a formula only where all of them are there"
    if len(costs) < len(kinds) or len({cost.power for cost in costs}) > 1:
        return (
            "for bidders who differ there is a formula only where costs are powers of the bid, with one power for all"
        )
    if isinstance(paid, str):
        return paid
    if len(set(m.prizes[1:])) > 1:
        return "for bidders who differ there is a formula only where the winner takes all; with several prizes there is none"
    if m.prizes[0] == m.prizes[-1]:
        return "all prizes are equal, so that bidders who differ have nothing to bid for"
    scales = paid * np.array([cost.scale for cost in costs])
    contest = _Contest(game, m.prizes[0] - m.prizes[-1], m.prizes[-1], paid, costs[0].power, scales, known)
    if m.success.lucky:
        if tullock is None:
            return f"for bidders who differ there is no formula where ranks are decided by {m.success.words}"
        if None in known:
            return "with luck there is a formula only where all know each other's values"
        return _unlike_tullock(contest, tullock)
    if m.may_stay_out:
        return f"for bidders who differ there is no formula with {_parts(game, 'a reserve', 'an entry fee')}"
    if len({(bidder.head_start, bidder.handicap) for bidder in kinds}) > 1:
        return "there is no formula for head starts or handicaps that differ, unless luck is Tullock's"
    if None not in known:
        return _known(contest)
    if game.bidders > 2:
        return "for more than two bidders who differ there is a formula only where all know each other's values"
    return _two(contest)


def _two(contest: _Contest) -> Equilibrium | str:
    one, two = (
        value if value is not None else bidder.values.distribution  # type: ignore[union-attr]
        for value, (bidder, _) in zip(contest.known, contest.game.groups, strict=True)
    )
    prizes = (contest.prize + contest.rest, contest.rest)
    first, second = (float(scale) for scale in contest.scales)
    found = two_bidders(one, two, prizes, contest.power, (first, second))
    if isinstance(found, NoFormula):
        return found.reason
    plays = (
        Play(1, found.revenues[i], 1 - found.zero[i], found.wins[i], found.payoffs[i], partial(found.bid_at, i + 1))
        for i in range(2)
    )
    return contest.outcome(plays, found.highest_bid)


def _known(contest: _Contest) -> Equilibrium | str:
    """Values known to all: the strongest and the next bid, or all of a group of them, whose bidders bid alike."""
    values, counts = contest.values * contest.prize, contest.game.counts
    worth = values / contest.scales
    first, second = sorted(range(len(worth)), key=lambda i: (-worth[i], counts[i]))[:2]
    everybody = contest.rest * contest.values
    nothing = [Play(int(counts[i]), 0.0, 0.0, 0.0, float(everybody[i]), _zeros) for i in range(len(worth))]
    plays, power = nothing, contest.power
    if counts[first] == counts[second] == 1:
        pair = [first, second]
        found = known_values(values[pair].tolist(), power, contest.scales[pair].tolist())
        for k, i in enumerate(pair):
            payoff = float(found.payoffs[k] + everybody[i])
            plays[i] = Play(
                1,
                float(found.mean_bids[k]),
                float(found.entry[k]),
                float(found.wins[k]),
                payoff,
                partial(found.bid_at, k),
            )
        return contest.outcome(plays, found.highest_bid)
    if counts[first] > 1:  # they alone bid, and leave nothing to win: x = w q^{m−1} in what a bid costs over its scale
        m, top = int(counts[first]), float(worth[first]) ** (1 / power)
        rise = (m - 1) / power
        plays[first] = Play(m, top / (rise + 1), 1.0, 1 / m, float(everybody[first]), partial(_power, top, rise))
        return contest.outcome(plays, top * m / (m + rise))
    one = _OneAgainstMany(float(worth[first]), float(worth[second]), int(counts[second]), power)
    mean, means, highest, wins = one.integrals()
    gained = float(contest.scales[first]) * (one.high - one.low)
    plays[first] = Play(1, mean, 1.0, wins, gained + float(everybody[first]), one.strong)
    plays[second] = Play(one.many, means, 1 - one.out, (1 - wins) / one.many, float(everybody[second]), one.weak)
    return contest.outcome(plays, highest)


@dataclass(frozen=True)
class _OneAgainstMany:
    """One bidder of worth w1 against m alike of w2 ≤ w1, who bid alike; all others bid 0.

    In x, what a bid costs over its scale, from 0 to w2, with distributions F of the strong and G of a weak one's: a weak one
    gains nothing, w2 F G^{m−1} = x, and the strong one w1 − w2 at every bid, w1 G^m − x = w1 − w2 [Baye, Kovenock & de Vries
    1996].

    Attributes:
        high, low, many, power: w1, w2, m, and the power of the cost.
    """

    high: float
    low: float
    many: int
    power: float

    @property
    def out(self) -> float:
        """G(0), the chance that a weak one bids 0."""
        return float((1 - self.low / self.high) ** (1 / self.many))

    def below(self, x: Array) -> tuple[Array, Array]:
        """F and G."""
        weak = ((self.high - self.low + x) / self.high) ** (1 / self.many)
        return x / (self.low * np.where(weak > 0, weak, 1.0) ** (self.many - 1)), weak

    def integrals(self) -> tuple[float, float, float, float]:
        """The expected bid of the strong, of a weak one, the highest bid, and the chance that the strong one wins."""
        t, weight = in_panels(base_edges(2))
        top = self.low ** (1 / self.power)
        strong, weak = self.below(self.low * t**self.power)
        mean, means, highest = (top * float(np.sum(weight * (1 - c))) for c in (strong, weak, strong * weak**self.many))
        spent = self.low * float(np.sum(weight * self.power * t ** (self.power - 1) * (1 - strong)))
        return mean, means, highest, (self.high - self.low + spent) / self.high

    def weak(self, q: Array) -> Array:
        """The bid at quantiles of a weak one's mixture."""
        x = np.maximum(self.high * np.asarray(q, float) ** self.many - (self.high - self.low), 0.0)
        return np.asarray(np.minimum(x, self.low) ** (1 / self.power))

    def strong(self, q: Array) -> Array:
        """The bid at quantiles of the strong one's mixture, by bisection."""
        q = np.asarray(q, float)
        low, high = np.zeros_like(q), np.full_like(q, self.low)
        for _ in range(100):
            middle = (low + high) / 2
            short = self.below(middle)[0] < q
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.asarray(high ** (1 / self.power))


def _unlike_tullock(contest: _Contest, r: float) -> Equilibrium | str:
    """Chances in proportion to (handicap·bid)^r: in y = handicap·bid costs are scale·(y/handicap)^p."""
    game, m = contest.game, contest.game.mechanism
    handicaps = np.array([bidder.handicap for bidder, _ in game.groups])
    scales = contest.scales / handicaps**contest.power
    found = unlike_tullock(
        np.repeat(contest.values, game.counts).tolist(),
        r,
        contest.power,
        np.repeat(scales, game.counts).tolist(),
        contest.prize,
    )
    if isinstance(found, NoFormula):
        return found.reason
    if m.may_stay_out and contest.rest > 0:
        return (
            f"with {_parts(game, 'a reserve', 'an entry fee')} and a prize for everybody who enters there is no formula"
        )
    one = np.cumsum(game.counts) - game.counts  # the first of each group: all of a group do the same
    bids, payoffs = found.bids[one] / handicaps, found.payoffs[one]
    for bid, payoff in zip(bids[bids > 0], payoffs[bids > 0], strict=True):
        fault = _kept_out(game, float(bid), float(payoff))
        if fault:
            return fault
    plays = (
        Play(
            int(count),
            float(bid),
            float(bid > 0),
            float(win),
            float(payoff + contest.rest * value),
            partial(_constant, bid),
        )
        for count, bid, win, payoff, value in zip(
            game.counts, bids, found.wins[one], payoffs, contest.values, strict=True
        )
    )
    return contest.outcome(plays, float(bids.max()))


# A game in the terms of formulas --------------------------------------------------------------------------------------


def _parts(game: Game, *among: str) -> str:
    return " and ".join(part for part in game.parts if part in among or (not among and "groups" not in part))


def _not_neutral(game: Game) -> str:
    parts = _parts(game)
    if parts:
        return f"with {parts} there is a formula for risk-neutral bidders only"
    return "of bidders who are not risk-neutral there are formulas for constant absolute risk aversion only"


def known_value(bidder: Bidder) -> float | None:
    """The value that all know a bidder to have, if they do."""
    if isinstance(bidder.values, Common):
        return bidder.values.value
    given = bidder.values.distribution
    return given.points[0] if isinstance(given, Discrete) and given.points[0] == given.points[-1] > 0 else None


def _paid_by_all(game: Game) -> float | str:
    """The fraction of its bid that every rank pays, or why there is no formula if they do not pay alike."""
    payments = set(game.mechanism.payments)
    who = "with luck" if game.mechanism.success.lucky else "for bidders who differ"
    if len(payments) > 1 or payments == {0.0}:
        return f"{who} there is a formula only where every rank pays the same part of its bid, above 0"
    return payments.pop()


def _trimmed(numbers: tuple[float, ...], tail: float) -> tuple[float, ...]:
    """Numbers by rank up to the first of those at the end that are all `tail`; at least one."""
    last = max((k for k, x in enumerate(numbers) if x != tail), default=-1)
    return numbers[: min(last + 2, len(numbers))]


def field_of(game: Game, bidder: Bidder) -> Rivals | str:
    given = game.attendance
    if not isinstance(given, attendance.Field):
        return Rivals.of(game.bidders, given * bidder.presence)
    chances = {n: chance for n, chance in enumerate(given.chances) if n > 0 and chance > 0}
    if len(chances) > MOST_SIZES:
        return f"theory takes at most {MOST_SIZES:,} different numbers of bidders: got {len(chances):,}; give a narrower field"
    found, some = Rivals.of(chances, bidder.presence), 1 - given.chances[0]
    return replace(found, expected=found.expected * some, somebody=found.somebody * some)


def _cost(game: Game, bidder: Bidder, paid: float = 1.0) -> effort.Cost | str:
    """The cost of a bid of which `paid` is paid, or what is wrong with it."""
    own = bidder.cost
    if isinstance(own, PowerCost):
        return PowerCost(own.power, own.scale * paid)
    at = own.cost(np.linspace(0.0, game.top_bid, 1001))
    if at[0] != 0 or np.any(np.diff(at) <= 0):
        return "formulas take a cost that is 0 at a bid of 0 and rises with every bid"
    return effort.AnyCost(lambda b: paid * own.cost(b), partial(_inverse, own, paid))


def _inverse(cost: AnyGameCost, paid: float, wanted: ArrayLike) -> Array:
    """The bids that cost so much, any shape: by doubling, then halving, an interval around them."""
    wanted = np.asarray(wanted, float) / paid
    most, top = float(np.max(wanted, initial=0.0)), 1.0
    while float(cost.cost(np.array(top))) < most:
        top *= 2.0
        if top > 1e12:
            raise AllpayError(f"no bid up to 1e12 costs {numeral(most)}: give max_bid")
    low, high = np.zeros_like(wanted), np.full_like(wanted, top)
    for _ in range(64):
        middle = (low + high) / 2
        short = cost.cost(middle.ravel()[order := np.argsort(middle, axis=None)])
        costs = np.empty(middle.size)
        costs[order] = short
        less = costs.reshape(middle.shape) < wanted
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return np.asarray(np.where(wanted <= 0, 0.0, high))


def _tullock(rule: success.Success) -> float | None:
    """r, if the chance to win is in proportion to bid^r."""
    if isinstance(rule, success.Tullock):
        return rule.r
    gumbel = isinstance(rule, success.Noise) and rule.law == "gumbel" and rule.log
    return 1 / rule.scale if gumbel else None  # type: ignore[attr-defined]


def _noise(rule: success.Success, handicap: float) -> tournament.Noise | None:
    """The noise on the bid, or on its logarithm; a handicap m on bids is noise of a scale as much smaller."""
    if not isinstance(rule, success.Noise):
        return None
    scale = rule.scale if rule.log else rule.scale / handicap
    laws: dict[str, Callable[[float], tournament.Noise]] = {
        "normal": tournament.Normal,
        "logistic": tournament.Logistic,
        "gumbel": tournament.Gumbel,
        "uniform": tournament.UniformNoise,
        "exponential": tournament.Exponential,
        "pareto": partial(tournament.Pareto, rule.power),
    }
    return laws[rule.law](scale) if rule.law in laws else None


def _cap(game: Game, bidder: Bidder) -> float | None:
    return min((cap for cap in (game.max_bid, bidder.max_bid) if cap is not None), default=None)


def _beyond(bids: Callable[[Array], Array], bidder: Bidder, cap: float | None) -> str | None:
    """Why bids are not allowed, if so: above the cap, or above the value where that is banned."""
    top = float(bids(np.array(1.0)))
    if cap is not None and top > cap * (1 + SLACK):
        return (
            f"the equilibrium bids rise to {numeral(top)}, above the cap of {numeral(cap)}, and there is no formula for bids "
            "that pool"
        )
    if bidder.overbidding:
        return None
    q, value = np.linspace(0.0, 1.0, 2001), known_value(bidder)
    if value is None:
        given = bidder.values.distribution  # type: ignore[union-attr]
        q = np.union1d(q, breaks_of(given) * (1 - 1e-12))
        values = np.asarray(given.quantile(q), float)
    else:
        values = np.full_like(q, value)
    excess = bids(q) - values
    if np.max(excess) <= SLACK * float(values[np.isfinite(values)].max(initial=0.0)):
        return None
    return (
        f"the equilibrium bids exceed the bidder's value (at quantile {q[int(np.argmax(excess))]:.3g}), which the game does "
        "not allow"
    )


def _kept_out(game: Game, bid: float, payoff: float) -> str | None:
    """Why a bid that is an equilibrium without a reserve and a fee is none with them, if so."""
    m = game.mechanism
    if bid < m.reserve * (1 - SLACK):
        least = numeral(m.reserve)
        return f"with luck there is no formula where the reserve binds: without it the bid is {numeral(bid)}, below {least}"
    if payoff < m.fee * (1 - SLACK):
        fee = numeral(m.fee)
        return f"with luck there is no formula where some stay out: the fee of {fee} is above the payoff of {numeral(payoff)}"
    return None


# Bids by quantile -----------------------------------------------------------------------------------------------------


def _zeros(q: Array) -> Array:
    return np.zeros_like(np.asarray(q, float))


def _constant(bid: float, q: Array) -> Array:
    return np.full_like(np.asarray(q, float), bid)


def _power(top: float, rise: float, q: Array) -> Array:
    return np.asarray(top * np.asarray(q, float) ** rise)


def _in_unit(bids: Callable[[Array], Array], unit: float, q: Array) -> Array:
    return bids(q) / unit


def _differ(q: Array) -> Array:
    raise AllpayError("bidders of this game differ: ask the bid_at of each of the groups of its equilibrium")
