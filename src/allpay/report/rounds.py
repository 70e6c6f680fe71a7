"""One design as it was learned: what bidders bid in each round, and how exploitability fell, as a figure."""

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from allpay.outcome import Outcome
from allpay.report.curves import game_in_words
from allpay.report.figures import COLUMN
from allpay.report.learned import THEORY, distribution_of
from allpay.report.look import colour_of, draw
from allpay.theory import Equilibrium

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = 130
"""Letters of a line above the figure."""

UNUSED = 1e-3
"""Bids that are made less often than this are not looked at where the axis ends."""


def draw_rounds(outcome: Outcome, exact: Equilibrium | None, path: Path) -> tuple[Path, Path]:
    """Draw the rounds of an outcome's first design, as a PNG and a PDF beside it.

    Args:
        outcome: what was learned.
        exact: the equilibrium on continuous bids to compare with, if there is one.
        path: of the PNG.

    Returns:
        Where the PNG and the PDF are.

    Raises:
        AllpayError: if a file cannot be written.
    """
    png, pdf = path.with_suffix(".png"), path.with_suffix(".pdf")
    for file in (png, pdf):
        draw_into(outcome, exact, file)
    return png, pdf


def draw_into(outcome: Outcome, exact: Equilibrium | None, path: Path) -> Path:
    """Draw the same into one file, whose ending says which format; .png if it has none.

    Raises:
        AllpayError: if the format is unknown or the file cannot be written.
    """
    return draw(path, lambda: rounds_figure(outcome, exact))


def rounds_figure(outcome: Outcome, exact: Equilibrium | None) -> "Figure":
    """The figure that is written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    title = fill(f"{game_in_words(outcome.games[0])}; {outcome.learner}", TITLE)
    figure = Figure(figsize=(2 * COLUMN, 2.7 + 0.13 * title.count("\n")), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=7.5, color="0.35")
    left, right = figure.subplots(1, 2)
    _draw_bids(left, outcome, exact)
    _draw_history(right, outcome)
    return figure


def _draw_bids(axes: "Axes", outcome: Outcome, exact: Equilibrium | None) -> None:
    """The mean bid of each value, a line per round and bidder; of one value, how its bids are distributed."""
    game, profiles = outcome.games[0], outcome.strategy[0]
    bids, kinds = game.bid_grid, len(game.groups)
    owner = np.arange(kinds) if profiles.shape[1] == kinds else np.repeat(np.arange(kinds), game.counts)
    colours = ["0.55"] if kinds == 1 else [colour_of(i) for i in range(kinds)]
    several = game.value_levels > 1
    for i in range(kinds):
        own = profiles[:, owner == i].reshape(-1, *profiles.shape[-2:])
        for k, strategy in enumerate(own):
            label = (f"group {i + 1}" if kinds > 1 else "learned") if k == 0 else None
            if several:
                axes.plot(game.value_grids[i], strategy @ bids, color=colours[i], lw=0.8, label=label)
            else:
                share = np.minimum(np.cumsum(strategy[0]), 1.0)
                axes.plot(bids, share, color=colours[i], lw=0.8, drawstyle="steps-post", label=label)
    quantiles = (np.arange(game.value_levels) + 0.5) / game.value_levels
    for i, play in enumerate(() if exact is None else exact.groups):
        label = "equilibrium" if i == 0 else None
        along = (game.value_grids[i], play.bid_at(quantiles)) if several else distribution_of(play.bid_at, bids[-1])
        axes.plot(*along, **THEORY, label=label)
    if not several:  # from where nobody bids more on there is nothing to see
        highest = max([float(bids[np.any(profiles[:, :, 0] > UNUSED, axis=(0, 1))].max(initial=0.0)), *_tops(exact)])
        axes.set_xlim(-0.02 * highest, min(1.25 * highest, bids[-1]) or None)
    labels = ("value", "mean bid") if several else ("bid", "share of bids up to it")
    axes.set(xlabel=labels[0], ylabel=labels[1], title="What bidders bid, a line per round")
    axes.legend(loc="best")


def _tops(exact: Equilibrium | None) -> list[float]:
    """The highest bid of each group in an equilibrium."""
    return [] if exact is None else [float(play.bid_at(1.0)) for play in exact.groups]


def _draw_history(axes: "Axes", outcome: Outcome) -> None:
    """Exploitability along each round, and how little of it counts as converged."""
    history, far = outcome.history[0], outcome.distance[0]
    # what would be at the tolerance if the distance fell with exploitability, in proportion
    limits = outcome.exploitability[0][far > 0] * outcome.tolerance / far[far > 0]
    limit = float(limits.min()) if limits.size else outcome.tolerance * float(outcome.stakes[0])
    along = np.arange(1, history.shape[1] + 1) / history.shape[1]
    axes.plot(along, np.where(history > 0, history, np.nan).T, color="0.6", lw=0.7)
    axes.set(xlabel="part of the run", ylabel="exploitability", title="How it was learned", yscale="log")
    if not outcome.behaviour:  # of a model of behaviour exploitability is not what converges
        axes.axhline(limit, color="black", ls=":", label="converged below")
        axes.legend(loc="upper right")
