"""Past contests made up: bids drawn from the equilibrium of a game, or from strategies that were learned."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.contest.auction import AT_A_TIME, closed, settle, turn_up
from allpay.contest.bidder import Bidder
from allpay.contest.game import Array, Game, check_game
from allpay.contest.payoffs import as_strategy
from allpay.contest.values import Private
from allpay.errors import AllpayError, short
from allpay.estimate.past import Contests
from allpay.estimate.tables import MOST_ROWS
from allpay.scalars import whole
from allpay.theory import Equilibrium, equilibrium, why_no_equilibrium

if TYPE_CHECKING:
    import polars as pl


def past_contests(
    game: Game | Sequence[Game],
    contests: int,
    seed: int,
    *,
    strategy: ArrayLike | Sequence[ArrayLike | None] | None = None,
    prizes: Sequence[float] | None = None,
) -> Contests:
    """Contests as bidders of a game play them: values drawn, bids of the equilibrium, who turned up, ranks.

    A bidder who is absent, or stays out, has no bid and rank 0. Contests of several games come in turn: bidders know which they
    are in, as with games of 3, 4 and 5 bidders. The same arguments give the same bits.

    Args:
        game: whose contests; or several.
        contests: how many.
        seed: of the random numbers, any number ≥ 0.
        strategy: `[groups or bidders, values, bids]` to draw bids from, on the grid, in place of the equilibrium; of
            several games, one for each, or None where theory is to be followed.
        prizes: `[ranks]` in which the prizes are told, if not as parts of one prize of 1.

    Returns:
        contests with ranks, values, and groups if the game has several.

    Raises:
        AllpayError: if a number is out of its bounds, or there is no closed form and no strategy.

    >>> found = past_contests(Game.from_weights("prizes", (0.5, 0.3, 0.2), 5), 400, seed=1)
    >>> found.contests, found.prizes[0].tolist(), len(found.bid)
    (400, [0.5, 0.3, 0.2], 2000)
    """
    games = [game] if isinstance(game, Game) else list(game)
    if not games:
        raise AllpayError("there is no game: give at least one")
    for one in games:
        check_game(one)
    strategies = [strategy] if isinstance(game, Game) else [None] * len(games) if strategy is None else list(strategy)  # type: ignore[arg-type]
    if len(strategies) != len(games):
        raise AllpayError(f"there are {len(games)} games and {len(strategies)} strategies: give one for each")
    contests, seed = whole("contests", contests), whole("seed", seed)
    if contests < 1:
        raise AllpayError(f"contests must be at least 1: got {contests}")
    most = max(one.bidders for one in games)
    if contests * most > MOST_ROWS:
        raise AllpayError(
            f"contests × bidders must be at most {MOST_ROWS:,}: got {short(contests)} × {most:,}; give fewer"
        )
    if seed < 0:
        raise AllpayError(f"the seed must be at least 0: got {short(seed)}")
    groups = {one.groups if len(one.groups) > 1 else () for one in games} if len(games) > 1 else set()
    if len(groups) > 1:
        raise AllpayError(
            "games whose contests come in turn have bidders alike, or the same groups: give one game at a time"
        )
    parts = []
    for k, (one, played) in enumerate(zip(games, strategies, strict=True)):
        count = len(range(k, contests, len(games)))
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,)))
        parts.append(_of_one(one, count, random, played))
    return _in_turn(parts, games, prizes)


def _of_one(game: Game, contests: int, random: np.random.Generator, strategy: Any) -> dict[str, Array]:
    """`[contests, bidders]` each: value, bid and rank of the contests of one game."""
    exact = None if strategy is not None else equilibrium(game)
    if strategy is None and exact is None:
        raise AllpayError(f"there is no closed form to draw bids from: {why_no_equilibrium(game)}; give a strategy")
    cumulative = None if strategy is None else closed(as_strategy(game, strategy))
    step = max(1, AT_A_TIME // game.bidders)
    parts = []
    for first in range(0, contests, step):
        shape = (min(step, contests - first), game.bidders)
        if exact is not None:
            values, bids, enters = _by_theory(game, exact, random, shape)
        else:
            assert cumulative is not None
            values, bids, enters = _from_strategy(game, cumulative, random, shape)
        enters &= turn_up(game, shape[0], random)
        luck = game.mechanism.success.noise(random, shape)
        settled = settle(game, values, bids, random.random(shape), luck, enters)
        there = settled.rank < game.bidders
        parts.append(
            {
                "value": values,
                "bid": np.where(there, bids, np.nan),
                "rank": np.where(there, settled.rank + 1, 0),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in ("value", "bid", "rank")}


def _by_theory(
    game: Game, exact: Equilibrium, random: np.random.Generator, shape: tuple[int, int]
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Values, bids, and who does not stay out."""
    q = random.random(shape)
    values, bids, enters = np.empty(shape), np.empty(shape), np.ones(shape, bool)
    ends = np.cumsum(game.counts)
    for (bidder, count), play, end in zip(game.groups, exact.groups, ends, strict=True):
        own = slice(end - count, end)
        values[:, own], bids[:, own] = values_of(bidder, q[:, own]), play.bid_at(q[:, own])
        if game.mechanism.may_stay_out:
            enters[:, own] = q[:, own] >= 1 - play.entry
    return values, bids, enters


def values_of(bidder: Bidder, q: Array) -> Array:
    """The values at quantiles `q`, any shape."""
    if not isinstance(bidder.values, Private):
        return np.full(np.shape(q), bidder.values.value)
    return np.asarray(bidder.values.distribution.quantile(q), float)


def _from_strategy(
    game: Game, cumulative: Array, random: np.random.Generator, shape: tuple[int, int]
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """The same from strategies on the grid, `[groups or bidders, values, bids]`, summed over bids."""
    kinds, values, levels = cumulative.shape
    which = np.repeat(np.arange(kinds), game.counts if kinds == len(game.groups) else 1)
    grids = np.repeat(game.value_grids, game.counts, axis=0)
    value, u = random.integers(values, size=shape), random.random(shape)
    rows = (cumulative.reshape(-1, levels) + np.arange(kinds * values)[:, None]).ravel()
    place = which * values + value
    bid = np.clip(np.searchsorted(rows, place + u, side="right") - place * levels, 0, levels - 1)
    enters = bid > 0 if game.mechanism.may_stay_out else np.ones(shape, bool)
    return grids[np.arange(game.bidders), value], game.bid_grid[bid], enters


def _in_turn(parts: Sequence[dict[str, Array]], games: Sequence[Game], prizes: Sequence[float] | None) -> Contests:
    """Contests of several games, one of each in turn."""
    numbers = [np.arange(len(part["bid"])) * len(games) + k for k, part in enumerate(parts)]
    contest = np.concatenate([np.repeat(n, one.bidders) for n, one in zip(numbers, games, strict=True)])
    order = np.argsort(contest, kind="stable")
    joined = {name: np.concatenate([part[name].ravel() for part in parts])[order] for name in ("value", "bid", "rank")}
    told = [np.trim_zeros(np.asarray(one.mechanism.prizes if prizes is None else prizes, float), "b") for one in games]
    table = np.zeros((sum(map(len, numbers)), max(map(len, told))))
    for n, row in zip(numbers, told, strict=True):
        table[n, : len(row)] = row
    kinds = len(games[0].groups)
    which = np.concatenate(
        [
            np.tile(np.repeat(np.arange(kinds), one.counts), len(n))
            for n, one in zip(numbers, games, strict=True)
            if kinds > 1
        ]
        or [np.empty(0, np.int64)]
    )
    return Contests(
        contest=contest[order],
        bid=joined["bid"],
        prizes=table,
        rank=joined["rank"].astype(np.int64),
        value=joined["value"],
        group=which[order] if kinds > 1 else None,
        groups=tuple(str(k + 1) for k in range(kinds)) if kinds > 1 else (),
    )


def as_table(contests: Contests, values: bool = False) -> "pl.DataFrame":
    """Contests as a table, a row for each bidder, that `read_contests` reads back: contest, bidder, group, bid, rank, prize.

    The column prize is what each won. Where some prizes were won by nobody, columns prize_1, prize_2, … say what was announced.

    Args:
        contests: to be written.
        values: whether the table tells them; who looks at past contests does not know them.
    """
    import polars as pl

    first = np.searchsorted(contests.contest, np.arange(contests.contests))
    columns: dict[str, Any] = {
        "contest": contests.contest + 1,
        "bidder": np.arange(len(contests.bid)) - first[contests.contest] + 1,
    }
    if contests.group is not None:
        columns["group"] = np.array(contests.groups)[contests.group]
    columns["bid"] = pl.Series(contests.bid, nan_to_null=True)
    rank, carrying = contests.rank, np.count_nonzero(contests.prizes, axis=1)
    if rank is not None:
        columns["rank"] = pl.Series(rank).replace(0, None)
        won = np.column_stack([np.zeros(contests.contests), contests.prizes])
        columns["prize"] = won[contests.contest, np.where(rank < won.shape[1], rank, 0)]
    if rank is None or np.any(contests.present < carrying):
        for k, announced in enumerate(contests.prizes.T, start=1):
            columns[f"prize_{k}"] = announced[contests.contest]
    if values and contests.value is not None:
        columns["value"] = pl.Series(contests.value, nan_to_null=True)
    table = pl.DataFrame(columns)
    whole = [name for name in columns if name.startswith("prize") and (table[name] % 1 == 0).all()]
    return table.with_columns(pl.col(whole).cast(pl.Int64))
