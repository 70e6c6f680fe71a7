"""One equilibrium to look at: what bidders bid and how often, as a figure and as a table."""

from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from allpay.contest.attendance import Field
from allpay.contest.game import Array, Game
from allpay.contest.preferences import Cara, PowerCost
from allpay.contest.success import Highest
from allpay.contest.values import Common, Discrete, values_at
from allpay.report.learned import distribution_of
from allpay.report.look import colour_of, dashes_of, draw
from allpay.report.summary import who_in_words
from allpay.report.words import aligned, in_a_column
from allpay.scalars import numeral
from allpay.simplex import shown
from allpay.theory import Equilibrium

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLACES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Quantiles that the table of bids has."""

MOST_ROWS = 20
"""Up to so many different values the table has a row for each; of more, it has quantiles."""

MOST_MARKS = 50
"""Up to so many different values the figure marks the mean bid of each."""

MIDDLES = (np.arange(500) + 0.5) / 500
"""Places between 0 and 1 over which a mean is taken."""

INSIDE = 1e-9
"""The part of a piece by which one stays below its end, where something jumps."""

TIED = 1e-9
"""Bids that differ by less than this part of the highest are one bid."""

WIDTH = 120
"""Letters of a line above a figure."""

BOUNDED = 8.0
"""A density that is nowhere this many times as high as most of it is drawn whole."""


def bids_in_words(game: Game, equilibrium: Equilibrium) -> str:
    """The table of bids: by quantile, or by value where there are few values, each of which mixes over an interval; and of each
    group where bidders differ."""
    if len(equilibrium.groups) > 1:
        return _groups_in_words(equilibrium)
    if game.grouped:
        game = _of_one_group(game)
    pieces = _pieces(_jumps(game))
    if (
        not isinstance(game.values, Common)
        and isinstance(game.values.distribution, Discrete)
        and len(pieces) <= MOST_ROWS
    ):
        means = [equilibrium.bid_at(low + (high - low) * MIDDLES).mean() for low, high in pieces]
        values = values_at(game.values.distribution, pieces.mean(axis=1))
        rows = zip(values, equilibrium.bid_at(pieces), means, strict=True)
        numbers = in_a_column(x for _, (low, high), mean in rows for x in (low, high, mean))
        cells = [[f"{v:g}", *numbers[3 * k : 3 * k + 3]] for k, v in enumerate(values)]
        aligned([["value", "lowest bid", "highest bid", "mean"], *cells], "Bids of each value in equilibrium.")
        lines = [
            f"{value:8g}  {low:>11}  {high:>11}  {mean:>8}"
            for value, low, high, mean in zip(values, numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        ]
        return "\n".join(["   value   lowest bid  highest bid      mean", *lines])
    bids = in_a_column(equilibrium.bid_at(PLACES))
    aligned(
        [["quantile", "bid"], *([f"{q:.2f}", b] for q, b in zip(PLACES, bids, strict=True))], "Bids in equilibrium."
    )
    width = max(map(len, bids))
    return (
        "quantile     " + "  ".join(f"{q:{width}.2f}" for q in PLACES) + "\n"
        "bid          " + "  ".join(f"{b:>{width}}" for b in bids)
    )


def quantiles_in_words(game: Game) -> str:
    """What the quantiles of the table of bids are of."""
    known = {isinstance(bidder.values, Common) for bidder, _ in game.groups}
    if known == {False}:
        return "Bids are given by quantile of a bidder's value."
    if known == {True}:
        return "The value is known, so bids are given by quantile of the bid itself, which may be random."
    return (
        "Bids are given by quantile of a bidder's value, or where that is known of the bid itself, which may be random."
    )


def _groups_in_words(equilibrium: Equilibrium) -> str:
    """What each group bids by quantile, and what that brings it."""
    plays = equilibrium.groups
    names = [f"group {i}, {play.bidders} bidder{'s' * (play.bidders > 1)}" for i, play in enumerate(plays, start=1)]
    columns = {
        "mean bid": [play.mean_bid for play in plays],
        "payoff": [play.payoff for play in plays],
        "wins": [play.win for play in plays],
        "enters": [play.entry for play in plays],
        **{f"bid at {q:.0%}": [float(play.bid_at(q)) for play in plays] for q in (0, 0.25, 0.5, 0.75, 1)},
    }
    cells = [[name, *in_a_column(numbers)] for name, numbers in columns.items()]
    return aligned([["", *names], *cells], "What each group bids in equilibrium, and what that brings it.")


def _of_one_group(game: Game) -> Game:
    """A game of one group of bidders as readers of its values know it, as far as the short form has words for it."""
    bidder = game.groups[0][0]
    power = bidder.cost.power if isinstance(bidder.cost, PowerCost) else 1.0
    aversion = bidder.utility.aversion if isinstance(bidder.utility, Cara) else 0.0
    return replace(game, values=bidder.values, cost_power=power, risk_aversion=aversion, max_bid=game.top_bid)


def draw_equilibrium(game: Game, equilibrium: Equilibrium, path: Path) -> Path:
    """Draw the bid function (or, for common values, the distribution of bids) and the density of bids; of several groups, the
    bids of each by value, and their distribution.

    Where a value has a probability of its own, a line spans the bids over which it mixes, and a dot is their mean.

    Args:
        game: the game.
        equilibrium: its equilibrium.
        path: the file; its ending says which format.

    Raises:
        AllpayError: if the format is unknown or the file cannot be written.
    """
    several = len(equilibrium.groups) > 1
    if game.grouped and not several:
        game = _of_one_group(game)
    figure = groups_figure if several else _equilibrium_figure
    return draw(path, lambda: figure(game, equilibrium))


def _equilibrium_figure(game: Game, equilibrium: Equilibrium) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 2.9), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(fill(game_in_words(game), WIDTH), fontsize=8, color="0.35")
    if isinstance(game.values, Common):
        q = np.linspace(0.0, 1.0, 2001)
        bids = equilibrium.bid_at(q)
        left.plot([0.0, bids[0], *bids, 1.04 * bids[-1]], [0.0, 0.0, *q, 1.0], color="black")
        left.set(
            xlabel="bid b", ylabel="probability of a bid of at most b", ylim=(0, 1.02), title="Distribution of bids"
        )
    else:
        _draw_bids(left, game, equilibrium)
    left.set_xlim(left=0)
    _draw_density(right, game, equilibrium)
    return figure


def groups_figure(game: Game, equilibrium: Equilibrium) -> "Figure":
    """Bids of each group: by value, of a known value a line over the bids that are mixed and a dot at their mean; and their
    distribution."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    title = fill(game_in_words(game), WIDTH)
    figure = Figure(figsize=(7.0, 2.9 + 0.13 * title.count("\n")), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=8, color="0.35")
    top = 1.04 * max(float(play.bid_at(1.0)) for play in equilibrium.groups)
    q = np.linspace(0.0, 1.0, 1001)
    for i, ((bidder, count), play) in enumerate(zip(game.groups, equilibrium.groups, strict=True)):
        look = {"color": colour_of(i), "ls": dashes_of(i)}
        bids = play.bid_at(q)
        if isinstance(bidder.values, Common):
            left.plot([bidder.values.value] * 2, [bids[0], bids[-1]], **look)
            left.plot(bidder.values.value, play.mean_bid, "o", color=look["color"], ms=4, clip_on=False)
        else:
            left.plot(values_at(bidder.values.distribution, q), bids, **look)
        named = f"group {i + 1}, {count} bidder{'s' * (count > 1)}"
        right.plot(*distribution_of(play.bid_at, top), **look, label=named)
    left.set(xlabel="value v", ylabel="bid", title="Bids by value", ylim=(-0.02 * top, top))
    left.set_xlim(left=0)
    right.set(xlabel="bid b", ylabel="probability of a bid of at most b", ylim=(0, 1.02), title="Distribution of bids")
    right.set_xlim(0, top)
    right.legend(loc="lower right")
    return figure


def game_in_words(game: Game) -> str:
    """Who bids for what, and who pays."""
    prizes, payments = game.mechanism.prizes, game.mechanism.payments
    parts = [f"prizes {shown(prizes)}"] if prizes[0] < 1 or min(payments) == 1 else []
    parts += [f"payments {shown(payments)}"] if min(payments) < 1 else []
    parts += [who_in_words(game, game.bidders)]
    parts += [] if game.max_bid is None else [f"no bid above {numeral(game.max_bid)}"]
    rules, attendance = game.mechanism, game.attendance
    parts += [] if rules.success == Highest() else [f"ranks by {rules.success.words}"]
    parts += [f"reserve {numeral(rules.reserve)}"] if rules.reserve > 0 else []
    parts += [f"fee {numeral(rules.fee)}"] if rules.fee > 0 else []
    if isinstance(attendance, Field):
        parts.append(f"{attendance.words} turn up")
    elif attendance < 1:
        parts.append(f"each there with a chance of {numeral(attendance)}")
    return ", ".join(parts)


def _jumps(game: Game) -> Array:
    """The quantiles at which values jump."""
    return np.asarray(() if isinstance(game.values, Common) else getattr(game.values.distribution, "breaks", ()), float)


def _pieces(jumps: ArrayLike, pooled_from: float | None = None) -> Array:
    """`[pieces, 2]` the quantiles from where to where nothing jumps, just short of it."""
    edges = np.union1d([0.0, *np.asarray(jumps), 1.0], [] if pooled_from is None else [pooled_from])
    return np.stack([edges[:-1], edges[1:] - np.append(INSIDE * np.diff(edges)[:-1], 0.0)], axis=1)


def _draw_bids(axes: "Axes", game: Game, equilibrium: Equilibrium) -> None:
    """The bids of every value: a curve, and for each value that mixes a line, a tick where it pools, and a dot."""
    assert not isinstance(game.values, Common)
    value_at, jumps = game.values.distribution.quantile, _jumps(game)
    pieces = _pieces(jumps, equilibrium.pooled_from)
    for low, high in pieces:
        q = np.linspace(low, high, max(2001 // len(pieces), 2))
        values, bids = value_at(q), equilibrium.bid_at(q)
        pooled = values[0] == values[-1] and bids[0] == bids[-1] and len(pieces) <= MOST_MARKS
        axes.plot(values, bids, marker="_" if pooled else None, ms=6, lw=1.2, color="black")
    mixing = [(low, high) for low, high in _pieces(jumps) if value_at(low) == value_at(high)]
    if 0 < len(mixing) <= MOST_MARKS:
        means = [equilibrium.bid_at(low + (high - low) * MIDDLES).mean() for low, high in mixing]
        axes.plot([float(value_at(low)) for low, _ in mixing], means, "o", color="black", ms=3.5, clip_on=False)
        axes.set_title("Bids of each value, and mean")
    else:
        axes.set_title("Bid function")
    axes.set(xlabel="value v", ylabel="bid b(v)")
    axes.set_ylim(bottom=0)


def _draw_density(axes: "Axes", game: Game, equilibrium: Equilibrium) -> None:
    """How often bids are made: a density, and a dot for each bid that is made with positive probability."""
    pieces = _pieces(_jumps(game), equilibrium.pooled_from)
    q = np.unique(np.append(np.linspace(0.0, 1.0, 2001), pieces))
    bid = equilibrium.bid_at(q)
    # The density is dq/db: the share of bids between neighbouring quantiles, spread over the distance between them.
    distance, share = np.diff(bid), np.diff(q)
    apart = distance > TIED * max(bid[-1], 1e-300)
    jump = (share <= 2 * INSIDE) | ((bid[:-1] <= 0) & (game.mechanism.reserve > 0))  # nobody bids in between
    density = np.where(jump, np.nan, share)[apart] / distance[apart]
    axes.plot((bid[1:] + bid[:-1])[apart] / 2, density, color="black")
    # A density that runs off to infinity at the lowest or highest bid is cut where its bulk has been shown.
    density = density[np.isfinite(density)]
    bulk, most = (float(np.quantile(density, 0.8)), float(density.max())) if density.size else (1.0, 1.0)
    top = 1.2 * most if most < BOUNDED * bulk else 1.3 * bulk  # above: room for the bids of positive probability
    axes.set(xlabel="bid b", ylabel="density of bids", title="Density of bids", ylim=(0, top))
    axes.set_xlim(0, 1.04 * bid[-1] if bid[-1] > 0 else 1)
    for tied, part in _atoms(q, bid):
        axes.plot([tied, tied], [0, 0.93 * top], color="black", lw=0.8, ls=(0, (1, 1.5)), clip_on=False)
        axes.plot(tied, 0.93 * top, "o", color="black", ms=3.5, clip_on=False)
        side = "left" if tied < bid[-1] / 2 else "right"
        axes.text(tied, 0.93 * top, f"  {part:.0%}  ", ha=side, va="center", fontsize=8)


def _atoms(q: Array, bid: Array) -> list[tuple[float, float]]:
    """Bids that are made with a probability of at least 1 %, each with it."""
    tied = np.concatenate([[False], np.diff(bid) <= TIED * max(bid[-1], 1e-300), [False]])
    starts, ends = np.flatnonzero(~tied[:-1] & tied[1:]), np.flatnonzero(tied[:-1] & ~tied[1:])
    spans = [(float(bid[a]), float(q[b] - q[a])) for a, b in zip(starts, ends, strict=True)]
    return [(b, share) for b, share in spans if share >= 0.01]
