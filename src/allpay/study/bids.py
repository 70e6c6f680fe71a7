"""What bidders learned to bid, as a table: the mean and a few quantiles for each run, group and value."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from allpay.contest.bidder import levels_of
from allpay.contest.game import Array, Game
from allpay.outcome import Outcome

QUANTILES = (0.1, 0.5, 0.9)
"""Of the bids at a value, which may be mixed."""

SCHEMA = pl.Schema(
    {
        "design": pl.Int64(),
        "round": pl.Int32(),
        "group": pl.Int16(),
        "value": pl.Float64(),
        "mean": pl.Float32(),
        **{f"q{q:.0%}"[:-1]: pl.Float32() for q in QUANTILES},
    }
)
"""The columns: `mean`, `q10`, `q50` and `q90` of the bids, in money. Groups are numbered from 1."""

MOST_VALUES = 64
"""So many values of a group are kept, at most, evenly spread over those that it has."""

MOST_ROWS = 2**22
"""In a study of so many rows that this would be passed, fewer values are kept; one at least."""

TOGETHER = 16
"""So many rounds are looked at together."""

ROUNDING = 1e-9
"""Chances that fall short of a quantile by less reach it."""


def most_values(values: object, runs: int) -> int:
    """How many values of a group are kept in a study of so many runs, of bidders with these values."""
    groups = len(values) if isinstance(values, tuple) else 1
    return max(1, min(MOST_VALUES, MOST_ROWS // max(runs * groups, 1)))


def bids_of(outcome: Outcome, first: int = 0, most: int = MOST_VALUES) -> pl.DataFrame:
    """The bids of an outcome, a row for each design, round, group and value, in the columns of `SCHEMA`.

    Bidders of a group who learned alone are taken together: their bids are those of one drawn at random. To stay out is a bid
    of 0. Each row depends on its run alone, to the last bit.

    Args:
        outcome: what was learned.
        first: the number of its first design.
        most: how many values of a group are kept.
    """
    designs, rounds = outcome.strategy.shape[:2]
    kept = _kept(outcome.games[0], most)
    group = np.repeat(np.arange(1, len(kept) + 1), [len(rows) for rows in kept])
    size = len(group)
    numbers = np.empty((designs, rounds, size, 1 + len(QUANTILES)), np.float32)
    values = np.empty((designs, rounds, size))
    for d, game in enumerate(outcome.games):
        values[d] = np.concatenate([game.value_grids[i][rows[:, 0]] for i, rows in enumerate(kept)])
        for r in range(0, rounds, TOGETHER):
            some = outcome.strategy[d, r : r + TOGETHER]
            numbers[d, r : r + TOGETHER] = np.concatenate(
                [_of_group(game, some, i, rows) for i, rows in enumerate(kept)], axis=1
            )  # no product of matrices, whose last bits depend on how many threads there are
    runs = designs * rounds
    columns = {
        "design": np.repeat(np.arange(first, first + designs), rounds * size),
        "round": np.tile(np.repeat(np.arange(rounds), size), designs),
        "group": np.tile(group, runs),
        "value": values.ravel(),
        **dict(zip(list(SCHEMA)[4:], np.moveaxis(numbers, -1, 0).reshape(-1, runs * size), strict=True)),
    }
    # column by column: a cast of the table needs threads, which a forked process lacks
    return pl.DataFrame([pl.Series(name, np.ascontiguousarray(columns[name]), kind) for name, kind in SCHEMA.items()])


def _kept(game: Game, most: int) -> list[NDArray[np.int64]]:
    """For each group, the rows of the value grid of each value that is kept, `[values, rows]`; a group of fewer levels has
    several for each."""
    kept = []
    for bidder, _ in game.groups:
        levels = levels_of(bidder.values)
        rows = np.arange(game.value_levels).reshape(levels, -1)
        count = min(levels, most)
        kept.append(rows[((np.arange(count) + 0.5) * levels / count).astype(int)])
    return kept


def _of_group(game: Game, profiles: Array, group: int, rows: NDArray[np.int64]) -> Array:
    """`[rounds, values, 4]` mean and quantiles of the bids of a group at the values of these rows of the grid."""
    if profiles.shape[1] == len(game.groups):
        own = profiles[:, group]
    else:
        end = int(game.counts[: group + 1].sum())
        own = profiles[:, end - game.counts[group] : end].mean(axis=1)
    chances = own[:, rows].mean(axis=2)
    cumulative = np.cumsum(chances, axis=-1)
    places = [np.minimum(np.sum(cumulative < q - ROUNDING, axis=-1), game.bid_levels - 1) for q in QUANTILES]
    return np.stack([np.sum(chances * game.bid_grid, axis=-1), *(game.bid_grid[place] for place in places)], axis=-1)
