"""What each kind of bidder makes of a contest: how it bids, enters, wins and is paid; as numbers, a table, and sentences."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.contest.game import Array, Game
from allpay.contest.payoffs import evaluate
from allpay.outcome import Outcome
from allpay.scalars import numeral

if TYPE_CHECKING:
    from rich.table import Table

VALUES = (0.1, 0.5, 0.9)
"""Bids are shown at these quantiles of a bidder's value."""

LEFT_OVER = 0.1
"""A mean bid below this part of a step of the grid is shown as 0: it is what is left of the bids that bidders tried while they
learned, and the grid says nothing of amounts so small."""


@dataclass(frozen=True)
class Kinds:
    """The kinds of bidders in the first design of an outcome, means over its rounds.

    Attributes:
        groups: a dictionary for each: `bidders`, how many; `mean_bid` of those who bid; `values` and `bids`, `[values]`, the
            mean bid at each value, without what is left over from learning (`LEFT_OVER`); `payoff` of one who turns up;
            `entry`, `win` and `share`, the chance to bid and to be ranked first, and the share of the prizes, of one bidder;
            `exploitability`.
        fees: expected sum of fees.
        prizes: the part of the purse that is expected to be paid.
    """

    groups: tuple[dict[str, Any], ...]
    fees: float
    prizes: float

    @property
    def _quantiles(self) -> tuple[float, ...]:
        """Of values, at which bids are shown: none where all values are known."""
        return VALUES if any(len(group["bids"]) > 1 for group in self.groups) else ()

    def cells(self) -> list[list[str]]:
        """A row for each group, as text, below a head."""
        from allpay.report.words import significant

        shown = [f"bid at {q:.0%}" for q in self._quantiles]
        rows = [["group", "bidders", "mean bid", *shown, "payoff", "enters", "wins", "share of prizes"]]
        for i, group in enumerate(self.groups, start=1):
            levels = len(group["bids"])
            places = [group["bids"][min(int(q * levels), levels - 1)] for q in self._quantiles]
            numbers = (group["mean_bid"], *places, group["payoff"])
            chances = (group["entry"], group["win"], group["share"])
            rows.append([str(i), str(group["bidders"]), *map(significant, numbers), *(f"{c:.1%}" for c in chances)])
        return rows

    def table(self) -> "Table":
        """The same for a terminal."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        head, *rows = self.cells()
        for heading in head:
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(*row)
        return table

    def sentences(self, game: Game) -> list[str]:
        """What the table's columns are; fees, and what of the purse is paid, where that is not plain."""
        told = []
        if game.parts and self._quantiles:
            told.append(
                f"Bids at {VALUES[0]:.0%}, {VALUES[1]:.0%} and {VALUES[2]:.0%} are mean bids at these quantiles of a bidder's "
                "value; one below a tenth of a step of the grid is shown as 0."
            )
        if game.mechanism.fee > 0:
            told.append(f"Fees bring {numeral(self.fees, 4)} beside the revenue from bids.")
        purse = sum(game.mechanism.prizes)
        if self.prizes < purse * (1 - 1e-9):
            told.append(
                f"Prizes of ranks that nobody fills are not paid: {self.prizes / purse:.1%} of the purse is expected to be."
            )
        return told


def without_left_over(game: Game, bids: Array) -> Array:
    """Mean bids in a game, any shape, without what is left over from learning (`LEFT_OVER`)."""
    step = float(game.bid_grid[-1] - game.bid_grid[-2])
    return np.where(bids < LEFT_OVER * step, 0.0, bids)


def by_group(outcome: Outcome) -> Kinds:
    """What the first design of an outcome brings to each kind of bidder."""
    game, profiles = outcome.games[0], outcome.strategy[0]
    found = [evaluate(game, profile) for profile in profiles]
    ends = np.cumsum(game.counts)
    each = profiles.shape[1] != len(game.counts)
    groups = []
    for i, count in enumerate(game.counts):
        own = slice(ends[i] - count, ends[i])
        rows = profiles[:, own] if each else profiles[:, i : i + 1]

        def mean(name: str, own: slice = own) -> float:
            return float(np.mean([getattr(e, name)[own].mean() for e in found]))

        chances: Array = rows.mean(axis=(0, 1))  # [values, bids]
        bids = chances @ game.bid_grid
        bidding = 1.0 - chances[:, 0].mean() if game.mechanism.may_stay_out else 1.0
        groups.append(
            {
                "bidders": int(count),
                "mean_bid": float(bids.mean() / bidding) if bidding > 0 else 0.0,
                "values": game.value_grids[i].tolist(),
                "bids": without_left_over(game, bids).tolist(),
                **{name: mean(name) for name in ("payoff", "entry", "win", "share", "exploitability")},
            }
        )
    return Kinds(tuple(groups), float(np.mean([e.fees for e in found])), float(np.mean([e.prizes for e in found])))
