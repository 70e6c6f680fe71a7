"""What is kept of each run beside its row: the strategy that was learned, to the last bit, and how learning went.

With the row it is all of the run's `Outcome`, so that any objective can be computed when it is asked for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from allpay.contest.bidder import levels_of
from allpay.contest.game import Array, Game
from allpay.contest.payoffs import as_strategy
from allpay.outcome import Outcome
from allpay.study.study import Study

SCHEMA = pl.Schema(
    {
        "design": pl.Int64(),
        "round": pl.Int32(),
        "distance": pl.Float64(),
        "auctions": pl.Int64(),
        "tolerance": pl.Float64(),
        "solver": pl.Boolean(),
        "history": pl.Binary(),
        "strategy": pl.Binary(),
    }
)
"""The columns: `strategy` and `history` are numbers of 8 bytes, `[groups or bidders, values, bids]` and `[checkpoints]`."""

MOST_BYTES = 2**32
"""A study whose strategies take more is kept without them, and knows the objectives that are columns of its rounds alone."""

NUMBER = np.dtype("<f8")
"""How numbers are written, on any machine."""

FROM_ROWS = (
    *("revenue", "highest_bid", "realised_revenue", "realised_highest_bid"),
    *("exploitability", "payoff", "iterations"),
)
"""The fields of an outcome that are columns of the rounds."""


def outcomes_of(outcome: Outcome, first: int = 0, of: int = 1) -> pl.DataFrame | None:
    """What is kept of an outcome, a row for each design and round, in the columns of `SCHEMA`; None if it is too much.

    Args:
        outcome: what was learned.
        first: the number of its first design.
        of: how many runs the whole study has.
    """
    designs, rounds = outcome.revenue.shape
    runs = designs * rounds
    if outcome.strategy.nbytes / runs * of > MOST_BYTES:
        return None
    columns: dict[str, Any] = {
        "design": np.repeat(np.arange(first, first + designs), rounds),
        "round": np.tile(np.arange(rounds), designs),
        "distance": outcome.distance.ravel(),
        "auctions": np.full(runs, outcome.auctions // runs),
        "tolerance": np.full(runs, outcome.tolerance),
        "solver": np.full(runs, outcome.solver),
        "history": [row.astype(NUMBER).tobytes() for rows in outcome.history for row in rows],
        "strategy": [np.ascontiguousarray(s, NUMBER).tobytes() for profiles in outcome.strategy for s in profiles],
    }
    # column by column: a cast of the table needs threads, which a forked process lacks
    return pl.DataFrame([pl.Series(name, columns[name], kind) for name, kind in SCHEMA.items()])


def restored(study: Study, games: Sequence[Game], rows: pl.DataFrame, kept: pl.DataFrame) -> Outcome | None:
    """The outcome of some designs, as it was learned; None if what was kept cannot be that of these runs.

    Args:
        study: of which they are.
        games: `[designs]`.
        rows: their rounds, as in `Sweep.table`.
        kept: what `outcomes_of` gave of them.

    Raises:
        AllpayError: if a strategy is none.
    """
    shape = (len(games), study.rounds)
    assert study.setting is not None
    table = (levels_of(study.setting.values), study.setting.bid_levels)
    if len(kept) != len(rows) or not all(
        kept[name].equals(rows[name].cast(kept[name].dtype)) for name in ("design", "round")
    ):
        return None
    strategy = _numbers(kept["strategy"], (*shape, -1, *table))
    history = _numbers(kept["history"], (*shape, -1))
    if strategy is None or history is None or strategy.shape[2] not in (len(games[0].groups), study.space.bidders):
        return None
    for game, profiles in zip(games, strategy, strict=True):
        for profile in profiles:
            as_strategy(game, profile)  # what a stranger has written is looked at
    return Outcome(
        games=tuple(games),
        learner=study.learner.name,
        strategy=strategy,
        distance=kept["distance"].to_numpy().reshape(shape),
        history=history,
        auctions=int(kept["auctions"].sum()),
        tolerance=float(kept["tolerance"][0]),
        solver=bool(kept["solver"][0]),
        behaviour=getattr(study.learner, "behaviour", ""),
        **{name: rows[name].to_numpy().reshape(shape) for name in FROM_ROWS},
    )


def _numbers(column: pl.Series, shape: tuple[int, ...]) -> Array | None:
    """The numbers of all rows of a column in this shape, in which one length is open."""
    held = b"".join(column.to_list())
    try:
        return np.frombuffer(held, NUMBER).astype(float).reshape(shape)
    except ValueError:
        return None
