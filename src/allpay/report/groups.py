"""What each kind of bidder makes of a contest: how it bids, enters, wins and is paid; as numbers, a table, and sentences."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.contest.game import Array, Game
from allpay.contest.payoffs import evaluate
from allpay.outcome import Outcome

if TYPE_CHECKING:
    from rich.table import Table

VALUES = (0.1, 0.5, 0.9)
"""Bids are shown at these quantiles of a bidder's value."""


@dataclass(frozen=True)
class Kinds:
    """The kinds of bidders in the first design of an outcome, means over its rounds.

    Attributes:
        groups: a dictionary for each: `bidders`, how many; `mean_bid` of those who bid; `values` and `bids`, `[values]`, the
            mean bid at each value; `payoff` of one who turns up; `entry`, `win` and `share`, the chance to bid, the chance to
            be ranked first, and the share of the prizes, of one bidder; `exploitability`.
        fees: expected sum of fees.
        prizes: the part of the purse that is expected to be paid.
    """

    groups: tuple[dict[str, Any], ...]
    fees: float
    prizes: float

    def table(self) -> "Table":
        """A row for each group."""
        from rich.table import Table

        from allpay.report.words import significant

        table = Table(box=None, pad_edge=False, header_style="bold")
        shown = [f"bid at {q:.0%}" for q in VALUES]
        for heading in ("group", "bidders", "mean bid", *shown, "payoff", "enters", "wins", "share of prizes"):
            table.add_column(heading, justify="right")
        for i, group in enumerate(self.groups, start=1):
            levels = len(group["bids"])
            places = [group["bids"][min(int(q * levels), levels - 1)] for q in VALUES]
            numbers = (group["mean_bid"], *places, group["payoff"])
            chances = (group["entry"], group["win"], group["share"])
            table.add_row(str(i), str(group["bidders"]), *map(significant, numbers), *(f"{c:.1%}" for c in chances))
        return table

    def sentences(self, game: Game) -> list[str]:
        """Fees, and what of the purse is paid, where that is not plain."""
        told = []
        if game.mechanism.fee > 0:
            told.append(f"Fees bring {self.fees:.4g} beside the revenue from bids.")
        purse = sum(game.mechanism.prizes)
        if self.prizes < purse * (1 - 1e-9):
            told.append(
                f"Prizes of ranks that nobody fills are not paid: {self.prizes / purse:.1%} of the purse is expected to be."
            )
        return told


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
                "bids": bids.tolist(),
                **{name: mean(name) for name in ("payoff", "entry", "win", "share", "exploitability")},
            }
        )
    return Kinds(tuple(groups), float(np.mean([e.fees for e in found])), float(np.mean([e.prizes for e in found])))
