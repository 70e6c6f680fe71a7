"""What bidders learned to bid under one design, beside theory, as a panel of a figure."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.contest.bidder import levels_of
from allpay.contest.game import Array
from allpay.outcome import Outcome
from allpay.report.look import colour_of, dashes_of
from allpay.study.bids import bids_of
from allpay.theory import Equilibrium

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEARNED, DISTRIBUTION = "learned", "learned distribution"
"""The labels of what is drawn, by which a legend knows it; theory has the label `equilibrium`."""

MIDDLES = (np.arange(50) + 0.5) / 50
"""Places between 0 and 1 over which a mean is taken."""

THEORY: dict[str, Any] = {"color": "black", "ls": (0, (4, 2)), "lw": 1.0, "zorder": 4}


def draw_learned(ax: "Axes", outcome: Outcome, exact: Equilibrium | None, colour: str, named: bool = True) -> None:
    """Draw the bids of an outcome's first design: by value the mean over rounds, with the middle 80 % of bids as a band; where
    all values are known, how bids are distributed.

    Args:
        ax: where to.
        outcome: what was learned.
        exact: the equilibrium to compare with, if there is one.
        colour: of what was learned.
        named: whether groups are named beside their lines, and each has a colour of its own.
    """
    game = outcome.games[0]
    apart = named and len(game.groups) > 1
    colours = [colour_of(i) if apart else colour for i in range(len(game.groups))]
    if game.value_levels == 1:
        _distributions(ax, outcome, exact, colours, apart)
    else:
        _by_value(ax, outcome, exact, colours, apart)
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=-0.02 * ax.get_ylim()[1])  # so that bids of 0 are seen


def distribution_of(bid_at: Callable[[Array], Array], top: float) -> tuple[Array, Array]:
    """The bids of an equilibrium `[places]` and the share of bids up to each, from 0 to the top bid: a step where a bid is made
    with a probability of its own."""
    q = np.linspace(0.0, 1.0, 1001)
    bids = np.asarray(bid_at(q))
    return np.concatenate([[0.0], bids[:1], bids, [top]]), np.concatenate([[0.0, 0.0], q, [1.0]])


def _by_value(ax: "Axes", outcome: Outcome, exact: Equilibrium | None, colours: Sequence[str], named: bool) -> None:
    game = outcome.games[0]
    table = bids_of(outcome.of(0))
    for i, ((bidder, _), colour) in enumerate(zip(game.groups, colours, strict=True)):
        own = table.filter(table["group"] == i + 1)
        rounds = own["round"].n_unique()
        values, mean, low, high = (own[name].to_numpy().reshape(rounds, -1).mean(axis=0) for name in _SHOWN)
        theory = None if exact is None else mean_bids(exact, i, levels_of(bidder.values), len(values))
        if len(values) == 1:
            spread = [[max(mean[0] - low[0], 0)], [max(high[0] - mean[0], 0)]]
            ax.errorbar(values, mean, spread, fmt="o", ms=4, color=colour, elinewidth=1.0, capsize=2, label=LEARNED)
            if theory is not None:
                ax.plot(values, theory, marker="_", ms=12, mew=1.2, **{**THEORY, "ls": "none"}, label="equilibrium")
        else:
            ax.fill_between(values, low, high, color=colour, alpha=0.18, lw=0, zorder=1)
            ax.plot(values, mean, color=colour, ls=dashes_of(i), zorder=3, label=LEARNED)
            if theory is not None:
                ax.plot(values, theory, **THEORY, label="equilibrium")
        if named:
            _name(ax, i, float(values[-1]), float(mean[-1]), colour)
    ax.set(xlabel="value", ylabel="bid")


_SHOWN = ("value", "mean", "q10", "q90")


def mean_bids(exact: Equilibrium, group: int, levels: int, count: int) -> Array:
    """`[values]` the mean bid of theory at so many values of the grid, of which a group has as many as it has levels."""
    index = ((np.arange(count) + 0.5) * levels / count).astype(int)
    return np.asarray(exact.groups[group].bid_at((index[:, None] + MIDDLES) / levels)).mean(axis=1)


def _distributions(
    ax: "Axes", outcome: Outcome, exact: Equilibrium | None, colours: Sequence[str], named: bool
) -> None:
    game, profiles = outcome.games[0], outcome.strategy[0][:, :, 0]
    ends = np.cumsum(game.counts)
    for i, (count, colour) in enumerate(zip(game.counts, colours, strict=True)):
        own = profiles[:, [i]] if profiles.shape[1] == len(ends) else profiles[:, ends[i] - count : ends[i]]
        share = np.minimum(np.cumsum(own.mean(axis=(0, 1))), 1.0)
        ax.plot(
            game.bid_grid, share, color=colour, ls=dashes_of(i), drawstyle="steps-post", zorder=3, label=DISTRIBUTION
        )
        if exact is not None:
            along = distribution_of(exact.groups[i].bid_at, float(game.bid_grid[-1]))
            ax.plot(*along, **THEORY, label="equilibrium")
        if named:
            place = int(np.searchsorted(share, 0.5 + 0.12 * (i % 3 - 1)))
            _name(
                ax,
                i,
                float(game.bid_grid[min(place, len(share) - 1)]),
                float(share[min(place, len(share) - 1)]),
                colour,
            )
    ax.set(xlabel="bid", ylabel="share of bids up to it")


def _name(ax: "Axes", group: int, x: float, y: float, colour: str) -> None:
    ax.annotate(
        f"group {group + 1}",
        (x, y),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=6,
        color=colour,
        annotation_clip=False,
    )
