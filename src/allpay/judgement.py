"""A prize table judged: what bidders do with it, beside the best table of the same purse, winner-take-all and equal prizes.

By theory where there is a formula for the table, else by learning. Words, tables and figures of it are in `report.judged`.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from allpay.ascent import few_corners
from allpay.contest.amounts import Amounts, amounts, check_falling, plainly_money, read_amounts
from allpay.contest.attendance import Field
from allpay.contest.game import Array, Game, Setting
from allpay.contest.measures import Measures
from allpay.contest.mechanism import check_bidders, complete_weights
from allpay.contest.payoffs import averages_of, by_bidder, payoffs_of, seen
from allpay.contest.values import Private
from allpay.errors import AllpayError, exactly, one_of
from allpay.exact import best_in_theory
from allpay.frozen import ByValue, Framed
from allpay.learners import FictitiousPlay, Learner, run_seeds
from allpay.learners.base import as_learner, outcome_from
from allpay.objectives import Objective
from allpay.objectives import objective as read_objective
from allpay.outcome import Outcome
from allpay.progress import Reporter, Silent
from allpay.scalars import real
from allpay.simplex import Polytope, looked_at
from allpay.simulation import Estimate
from allpay.study import DesignSpace, Study
from allpay.study.study import CHECKING
from allpay.theory import Equilibrium, equilibrium_or_reason
from allpay.theory.contests import alike, field_of
from allpay.theory.measures import InTheory
from allpay.theory.quantiles import in_panels
from allpay.theory.ranks import mean_rank_probabilities

METHODS = ("auto", "theory", "learning")
"""How a table can be judged; `auto` is theory where it has a formula for the table, else learning."""

TOP = 3
"""Of so many best entries the mean is told."""

BANDS = ((0.9, 1.0), (0.5, 0.9), (0.0, 0.5))
"""Kinds of bidders by strength, as quantiles of their value: strongest tenth, others above the median, weaker half."""

DUST = 1e-6
"""The part of what a table brings that its last prizes must be worth to be kept in the best one."""

SEARCHED = 12
"""At how many mixtures of the best table with another a search without gradients looks."""


@dataclass(frozen=True)
class Quantity:
    """One thing that a table brings.

    Attributes:
        rounds: the number; by learning, that of each round.
        most: the most that any table of the purse is known to bring; None if that is not asked.
    """

    rounds: tuple[float, ...]
    most: float | None = None

    @property
    def mean(self) -> float:
        return float(np.mean(self.rounds))

    @property
    def half_width(self) -> float:
        """Half the length of the 90 % interval of the mean; 0 by theory."""
        return Estimate(self.rounds).half_width

    @property
    def part(self) -> float | None:
        """As a part of the most."""
        return None if self.most is None or self.most <= 0 else self.mean / self.most


@dataclass(frozen=True)
class Kind:
    """What some of the bidders do and win.

    Attributes:
        name: who they are.
        bidders: how many, in expectation.
        effort: the mean bid of one of them.
        cost: what the bid of one of them costs it on average, in units of value.
        share: the part of the purse that they win together, in expectation; 1 for everybody if all of it is paid.
    """

    name: str
    bidders: float
    effort: float
    cost: float
    share: float


@dataclass(frozen=True)
class Split:
    """One way to split the purse, and what it brings.

    Attributes:
        name: `yours`, `best`, `winner-take-all`, or `equal`.
        shares: `[bidders]` the part of the purse that each rank wins.
        quantities: total effort, best entry, mean of the top three, entrants, each by its objective; empty where there is no
            formula for it.
        kinds: who does and wins what.
        reason: why there is no formula, if there is none.
        verdicts: of the rounds, by learning.
    """

    name: str
    shares: tuple[float, ...]
    quantities: tuple[tuple[str, Quantity], ...] = ()
    kinds: tuple[Kind, ...] = ()
    reason: str | None = None
    verdicts: tuple[str, ...] = ()

    def quantity(self, objective: str) -> Quantity:
        """One of its quantities, by the text of its objective.

        Raises:
            KeyError: if it has none of that name.
        """
        return dict(self.quantities)[objective]

    @property
    def prizes(self) -> int:
        """How many ranks win something."""
        return int(np.count_nonzero(self.shares))

    @property
    def cost(self) -> float:
        """What all bids together cost those who make them, in units of value."""
        return math.fsum(kind.bidders * kind.cost for kind in self.kinds)


@dataclass(frozen=True, eq=False)
class Judgement(ByValue, Framed):
    """What there is to say about a prize table.

    Attributes:
        amounts: the table, as it was given.
        bidders: how many there are, at most.
        setting: who they are, and for what they bid.
        objective: the text of what the best table is best for.
        method: `theory` or `learning`.
        splits: yours, the best, winner-take-all and equal prizes for as many ranks as yours, in this order.
        most: for each objective told, the best shares known for it and what they bring.
        ranks: how many ranks may win something in the best table.
        reason: why theory has no formula for the table, where it has none.
        learner, samples, rounds, seed: how it was learned; None, 0, 1 and 0 by theory.
        curves: `[splits, 101]` the bid at each quantile of the value, by theory where bidders are alike; NaN elsewhere.
        seconds: how long it took.
        past_purse: what the prizes of a past contest came to on average, where values were estimated from such: a value is in
            units of what their bids cost, and an effort is a bid of theirs; None where values are given.
    """

    amounts: Amounts
    bidders: int
    setting: Setting
    objective: str
    method: str
    splits: tuple[Split, ...]
    most: tuple[tuple[str, tuple[float, ...], float], ...]
    ranks: int = 0
    reason: str | None = None
    learner: str | None = None
    samples: int = 0
    rounds: int = 1
    seed: int = 0
    curves: Array = field(default_factory=lambda: np.empty((0, 101)), repr=False)
    seconds: float = field(default=0.0, compare=False)
    past_purse: float | None = None

    @property
    def yours(self) -> Split:
        """The table that is judged."""
        return self.splits[0]

    @property
    def best(self) -> Split:
        """The best one for the objective."""
        return self.splits[1]

    def game(self, split: Split) -> Game:
        """The game under one of the tables."""
        return self.setting.game(DesignSpace("prizes", self.bidders).mechanism(split.shares))


def judge(
    prizes: "str | Path | Amounts | Sequence[float | str]",
    bidders: int | None = None,
    setting: Setting | None = None,
    *,
    objective: str = "revenue",
    purse: float | None = None,
    most_prizes: int | None = None,
    method: str = "auto",
    learner: Learner | str | None = None,
    samples: int = 40,
    rounds: int = 5,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Judgement:
    """Judge a prize table beside the best table of the same purse, winner-take-all, and equal prizes for as many ranks.

    Total effort is the expected sum of bids, the best entry the expected highest bid, and the top three the mean of the three
    highest, each exact for what the bidders do. Values are what the whole purse is worth to a bidder, in a unit of which 1 is
    its face value. Bids are in a unit of which 1 costs a value of 1: under the cost b^p that is a p-th root.

    Args:
        prizes: the table, the first rank first: a text such as `7500 5000 2500 1000x5`, `50% 30% 20%`, `3/5 2/5`; numbers, as
            amounts of money or as shares of sum 1; or the path of a table with the columns rank and prize.
        bidders: how many there are; not needed where groups or the field of the setting say it.
        setting: who bids for what; private values uniform on [0, 1], linear cost, if not given.
        objective: what the best table is best for; see `allpay.objectives`.
        purse: the sum of prizes that are given as shares, in money.
        most_prizes: how many ranks may win something in the best table; all but the last.
        method: `auto`, `theory` or `learning`.
        learner, samples, rounds, seed: by learning, how bidders learn, how many tables are tried for the best, how often each
            is learned anew, and the seed.
        reporter: is told how far it is.

    Raises:
        AllpayError: if the table cannot be read, has more prizes than there are bidders, or `theory` is asked for where there
            is no formula.

    >>> found = judge("7500 5000 2500 1000x5", 50, Setting(cost_power=2))
    >>> round(found.yours.quantity("revenue").mean, 4), round(found.best.quantity("revenue").mean, 3)
    (2.9001, 4.082)
    """
    start = time.perf_counter()
    one_of("method", method, METHODS)
    table, setting = _with_purse(amounts_of(prizes), purse), setting or Setting()
    n = _how_many(setting, bidders)
    if len(table.numbers) > n:
        raise AllpayError(
            f"there are more prizes than bidders: got {len(table.numbers)} for {n}; give fewer, or more bidders"
        )
    space = DesignSpace("prizes", n, most_prizes)
    yours = complete_weights(table.shares, n)
    asked = _asked(objective, n)
    found = equilibrium_or_reason(setting.game(space.mechanism(yours)))
    if isinstance(found, str) and method == "theory":
        raise AllpayError(f"theory has no formula for this table: {found}; leave --method out to let bidders learn")
    if method == "learning" or isinstance(found, str):
        bidding = FictitiousPlay() if learner is None else as_learner(learner)
        study = Study(space, bidding, setting, samples, rounds, objective=asked[0].text, seed=seed)
        judged = _by_learning(table, study, yours, asked, reporter or Silent())
        judged = replace(judged, reason=found if isinstance(found, str) else None)
    else:
        judged = _by_theory(table, space, setting, yours, asked)
    return replace(judged, ranks=space.dimension, seconds=time.perf_counter() - start)


def amounts_of(prizes: "str | Path | Amounts | Sequence[float | str]") -> Amounts:
    """A table in any of the ways in which it may be given.

    Raises:
        AllpayError: if it cannot be read, or shares of it do not sum to 1.
    """
    if isinstance(prizes, Amounts):
        return prizes
    if isinstance(prizes, Path):
        return _whole(read_amounts(prizes))
    if isinstance(prizes, str):
        return _whole(amounts(prizes))
    given = list(prizes)
    if not given or any(isinstance(x, str) for x in given):
        return _whole(amounts([str(x) for x in given]))
    numbers = [real("prizes", x) for x in given]
    if all(math.isfinite(x) for x in numbers):
        check_falling(numbers)
    shares = complete_weights([*numbers, 0.0], money=True)
    unit = "money" if plainly_money(numbers) else "share"
    return Amounts(tuple((numbers if unit == "money" else shares)[: np.count_nonzero(shares)]), unit)


def _whole(table: Amounts) -> Amounts:
    """A table whose shares are all there."""
    if table.unit != "money" and len(table.numbers) == 1 and table.numbers[0] != table.total:
        raise AllpayError(
            f"one prize is all of the purse: got {exactly(table.numbers[0])}{'%' * (table.unit == 'percent')}; "
            "give the others too"
        )
    if table.unit == "share":
        complete_weights([*table.numbers, 0.0])
    return table


def _with_purse(table: Amounts, purse: float | None) -> Amounts:
    """Shares of a purse in money."""
    if purse is None:
        return table
    if table.unit == "money":
        raise AllpayError(f"prizes in money sum to the purse, {table.of(1.0)}: leave the purse out, or give percent")
    if not 0 < purse < math.inf:
        raise AllpayError(f"the purse must be above 0 and finite: got {exactly(purse)}")
    return Amounts(tuple(purse * share for share in table.shares), "money")


def _how_many(setting: Setting, bidders: int | None) -> int:
    said = None
    if isinstance(setting.values, tuple):
        said = sum(count for _, count in setting.values)
    elif isinstance(setting.attendance, Field):
        said = setting.attendance.most
    if bidders is None and said is None:
        raise AllpayError("how many bid decides what prizes bring: give bidders, as --bidders 50")
    if said is not None and bidders is not None and said != bidders:
        raise AllpayError(f"the setting has {said} bidders, and bidders are {bidders}: leave one of them out")
    return check_bidders(bidders if said is None else said)  # type: ignore[arg-type]  # one of them is there


def _asked(objective: str, n: int) -> tuple[Objective, ...]:
    """What is told of a table, the objective first, and whatever else there are bidders enough for."""
    told = dict.fromkeys([objective, "revenue", "highest-bid", f"top-{min(TOP, n)}", "entrants"])
    found = tuple(read_objective(text) for text in told)
    for each in found:
        each.check(n)
    return found


def _tables(
    space: DesignSpace, yours: Sequence[float], best: Sequence[float]
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """The tables to compare: their names and shares."""
    n, k = space.bidders, int(np.count_nonzero(yours))
    return (
        ("yours", tuple(yours)),
        ("best", tuple(best)),
        ("winner-take-all", (1.0,) + (0.0,) * (n - 1)),
        ("equal", (1.0 / k,) * k + (0.0,) * (n - k)),
    )


# By theory ------------------------------------------------------------------------------------------------------------


def _by_theory(
    table: Amounts, space: DesignSpace, setting: Setting, yours: Sequence[float], asked: Sequence[Objective]
) -> Judgement:
    def value(objective: Objective) -> Callable[[Array], float]:
        def of(shares: Array) -> float:
            game = setting.game(space.mechanism(shares.tolist()))
            found = equilibrium_or_reason(game)
            return math.nan if isinstance(found, str) else objective.value(InTheory(game, found))

        return of

    shared = _tables(space, yours, yours)
    known = [np.array(s) for _, s in (shared[2], shared[0], shared[3]) if np.count_nonzero(s) <= space.dimension]
    most: list[tuple[str, tuple[float, ...], float]] = []
    for objective in asked:
        if objective.text == "entrants" and objective is not asked[0]:
            continue  # a count, of which more is not better
        best, worth = best_split(space, setting, objective, value(objective), known)
        most.append((objective.text, best, worth))
    splits, curves = [], []
    for name, shares in _tables(space, yours, most[0][1]):
        game = setting.game(space.mechanism(shares))
        found = equilibrium_or_reason(game)
        if isinstance(found, str):
            splits.append(Split(name, shares, reason=found))
            curves.append(np.full(101, np.nan))
            continue
        measures = InTheory(game, found)
        splits.append(Split(name, shares, _quantities(measures, asked, most), kinds_in_theory(measures)))
        curves.append(_curve(game, found))
    return Judgement(
        table, space.bidders, setting, asked[0].text, "theory", tuple(splits), tuple(most), curves=np.array(curves)
    )


def _quantities(
    measures: Measures, asked: Sequence[Objective], most: Sequence[tuple[str, tuple[float, ...], float]]
) -> tuple[tuple[str, Quantity], ...]:
    best = {text: worth for text, _, worth in most}
    return tuple((each.text, Quantity((each.value(measures),), best.get(each.text))) for each in asked)


def best_split(
    space: DesignSpace, setting: Setting, objective: Objective, value: Callable[[Array], float], known: Sequence[Array]
) -> tuple[tuple[float, ...], float]:
    """The best split by theory, and what it brings: by the gradient where there is one, else by a search between corners.

    Args:
        space, setting, objective: what is best for what.
        value: the objective of shares `[bidders]`, NaN where there is no formula.
        known: splits that it is at least as good as.
    """
    candidates = [*known]
    try:
        found = best_in_theory(space, setting, objective.text)
    except AllpayError:  # no gradient here
        found = None
    if found is not None:
        candidates.append(np.array(found.weights))
    else:
        candidates.append(searched(value, space.polytope))
    worth = [value(shares) for shares in candidates]
    best = int(np.nanargmax([w if math.isfinite(w) else -math.inf for w in worth]))
    return _without_dust(candidates[best], worth[best], value)


def _without_dust(shares: Array, worth: float, value: Callable[[Array], float]) -> tuple[tuple[float, ...], float]:
    """The best split without last prizes that bring nothing: with the fewest that bring as much but for a millionth."""
    low, high = 1, int(np.count_nonzero(shares > 0))

    def cut(k: int) -> Array:
        kept = np.where(np.arange(len(shares)) < k, shares, 0.0)
        return np.asarray(kept / kept.sum())

    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if value(cut(middle)) >= worth * (1 - DUST) else (middle + 1, high)
    kept = cut(low)
    return tuple(kept.tolist()), value(kept)


def searched(value: Callable[[Array], float], polytope: Polytope) -> Array:
    """The best design that a search between corners finds, without gradients `[n]`.

    The best corner is mixed with each of the next best, as long as that gains. Where a bid is a power of a sum over ranks, as
    of pure equilibria under luck, the best design is a corner.
    """
    from scipy.optimize import minimize_scalar

    few = few_corners(polytope)
    corners = np.concatenate(looked_at(polytope, 201)) if few is None else few
    worth = np.array([value(corner) for corner in corners])
    worth = np.where(np.isfinite(worth), worth, -np.inf)
    order = np.argsort(-worth)
    best, most = corners[order[0]], worth[order[0]]
    for other in corners[order[1:4]]:

        def lost(part: float, here: Array = best, there: Array = other) -> float:
            found = value((1 - part) * here + part * there)
            return -found if math.isfinite(found) else math.inf

        found = minimize_scalar(lost, bounds=(0.0, 1.0), method="bounded", options={"maxiter": SEARCHED, "xatol": 1e-4})
        if -found.fun > most:
            best, most = (1 - found.x) * best + found.x * other, -found.fun
    return np.asarray(best)


def kinds_in_theory(measures: InTheory) -> tuple[Kind, ...]:
    """Who does and wins what: bands of strength where bidders are alike and have private values, else groups."""
    game, found = measures.game, measures.found
    bidder = alike(game)
    prizes = np.array(game.mechanism.prizes)
    lucky, private = game.mechanism.success.lucky, bidder is not None and isinstance(bidder.values, Private)
    if bidder is None or lucky or not private:
        return _groups_in_theory(measures)
    field = field_of(game, bidder)
    if isinstance(field, str):
        return _groups_in_theory(measures)
    play, kinds = found.groups[0], []
    for low, high in BANDS:
        cuts = [c for c in (found.pooled_from, 1 - play.entry) if c is not None and low < c < high]
        near = [high - (high - low) * 4.0**-k for k in range(1, 12)] if high == 1 else []
        q, weight = (x.ravel() for x in in_panels(np.unique([low, high, *cuts, *near])))
        chances = field.rank_chances(q, len(prizes))
        if found.pooled_from is not None:
            tied = mean_rank_probabilities(game.bidders, found.pooled_from) if found.pooled_from < 1 else chances[-1]
            chances = np.where((q >= found.pooled_from)[:, None], tied, chances)
        there = (q >= 1 - play.entry) if game.mechanism.may_stay_out else np.ones_like(q, bool)
        share = field.expected * float(weight @ (there * (chances @ prizes)))
        bids, part = play.bid_at(q), weight / (high - low)
        effort, cost = float(part @ bids), float(part @ bidder.cost.cost(bids))
        kinds.append(Kind(_band(low, high), field.expected * (high - low), effort, cost, share))
    return tuple(kinds)


def _groups_in_theory(measures: InTheory) -> tuple[Kind, ...]:
    """What each group does; what it wins where that is plain: all are alike, or the winner takes all."""
    game, plays = measures.game, measures.found.groups
    paid, prizes = measures.prizes(), game.mechanism.prizes
    counts = np.asarray(game.counts * game.turnout, float)
    wins = counts * np.array([play.win for play in plays])
    rest = sum(prizes[1:])
    shares = (
        paid * counts / counts.sum() if alike(game) is not None else (prizes[0] * wins if rest == 0 else wins * np.nan)
    )
    q, weight = (x.ravel() for x in in_panels(np.unique([0.0, *(1 - play.entry for play in plays), 1.0])))
    return tuple(
        Kind(
            _group(i, len(plays)),
            float(counts[i]),
            play.mean_bid,
            float(weight @ bidder.cost.cost(play.bid_at(q))),
            float(shares[i]),
        )
        for i, (play, (bidder, _)) in enumerate(zip(plays, game.groups, strict=True))
    )


def _band(low: float, high: float) -> str:
    return {0.9: "strongest tenth", 0.5: "others above the median", 0.0: "weaker half"}[low]


def _group(i: int, groups: int) -> str:
    return "everybody" if groups == 1 else f"group {i + 1}"


def _curve(game: Game, found: Equilibrium) -> Array:
    """`[101]` bids by quantile, where bidders are alike."""
    return found.groups[0].bid_at(np.linspace(0, 1, 101)) if alike(game) is not None else np.full(101, np.nan)


# By learning ----------------------------------------------------------------------------------------------------------


def _by_learning(
    table: Amounts, study: Study, yours: Sequence[float], asked: Sequence[Objective], reporter: Reporter
) -> Judgement:
    assert study.setting is not None
    if study.space.polytope.freedom == 0:
        raise AllpayError("with two bidders and one prize there is one table only: give more bidders")
    from allpay.pipeline import design as find_design  # only learning needs JAX

    best = find_design(study, reporter=reporter).optimum.weights
    tables = _tables(study.space, yours, best)
    with reporter.stage(f"{study.learner.name}: bidders learn under each table"):
        seeds = np.repeat(run_seeds(study.seed, 1, study.rounds, CHECKING), len(tables), axis=0)
        outcome = outcome_from(study.learner, [study.game(shares) for _, shares in tables], seeds)
    values = {each.text: each.values(outcome) for each in asked}
    means = {text: rows.mean(axis=1) for text, rows in values.items()}
    # what brings most is known of the objective; of the others, the most among the tables that were learned
    top = {text: int(np.argmax(row)) for text, row in means.items() if text != "entrants" or text == asked[0].text}
    most = tuple((text, tables[i][1], float(means[text][i])) for text, i in top.items())
    worth = {text: number for text, _, number in most}
    splits = tuple(
        Split(
            name,
            shares,
            tuple((each.text, Quantity(tuple(values[each.text][d].tolist()), worth.get(each.text))) for each in asked),
            kinds_learned(outcome.of(d)),
            verdicts=tuple(outcome.verdicts[d].tolist()),
        )
        for d, (name, shares) in enumerate(tables)
    )
    return Judgement(
        *(table, study.bidders, study.setting, asked[0].text, "learning", splits, most),
        learner=study.learner.name,
        samples=study.samples,
        rounds=study.rounds,
        seed=study.seed,
        curves=np.array([_learned_curve(outcome.of(d)) for d in range(len(tables))]),
    )


def kinds_learned(outcome: Outcome) -> tuple[Kind, ...]:
    """Who does and wins what in the first design of an outcome, means over its rounds."""
    game, profiles = outcome.games[0], outcome.strategy[0]
    found = np.array([_per_value(game, profile) for profile in profiles]).mean(axis=0)  # [3, groups, values]
    turnout = np.asarray(game.turnout, float)
    kinds = []
    bands = BANDS if len(game.groups) == 1 and game.value_levels > 1 else ((0.0, 1.0),)
    for i, count in enumerate(game.counts):
        levels = found.shape[2]
        ends = np.arange(levels + 1) / levels  # a value of the grid stands for those of its cell
        for low, high in bands:
            inside = np.maximum(np.minimum(ends[1:], high) - np.maximum(ends[:-1], low), 0.0)
            name = _group(i, len(game.counts)) if len(bands) == 1 else _band(low, high)
            many = float(count * turnout[i]) * (high - low)
            effort, cost, won = (float(row[i] @ inside) / (high - low) for row in found)
            kinds.append(Kind(name, many, effort, cost, many * won))
    return tuple(kinds)


def _per_value(game: Game, profile: Array) -> Array:
    """`[3, groups, values]` the mean bid, what it costs, and the expected prize, of a bidder of each value."""
    parts = payoffs_of(game, by_bidder(game, profile))
    rows = seen(game, np.asarray(game.mechanism.prizes)[None])
    won = averages_of(parts, np.asarray(profile).mean(axis=1), rows)[:, 0]
    won[:, : parts.ranking.out] = 0.0
    bids = profile @ game.bid_grid
    prizes = np.einsum("ivb,ib->iv", profile, won)
    kinds = parts.ranking.kinds
    each = np.stack([bids, np.einsum("ivb,ib->iv", profile, game.cost_grids[kinds]), prizes])
    return np.stack([each[:, kinds == i].mean(axis=1) for i in range(len(game.groups))], axis=1)


def _learned_curve(outcome: Outcome) -> Array:
    game = outcome.games[0]
    if len(game.groups) > 1 or game.value_levels == 1:
        return np.full(101, np.nan)
    bids = (outcome.strategy[0].mean(axis=(0, 1)) @ game.bid_grid).tolist()
    middle = (np.arange(len(bids)) + 0.5) / len(bids)
    return np.interp(np.linspace(0, 1, 101), middle, bids)
