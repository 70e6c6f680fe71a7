"""One design as it was learned: what bidders bid in each round, and how exploitability fell, as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from allpay.files import write
from allpay.outcome import Outcome
from allpay.report.figures import COLUMN
from allpay.report.style import drawing
from allpay.theory import Equilibrium

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    png, pdf = path.with_suffix(".png"), path.with_suffix(".pdf")
    with drawing():
        figure = Figure(figsize=(2 * COLUMN, 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        _draw_bids(left, outcome, exact)
        _draw_history(right, outcome)
        # no dates and versions in the files, or they would differ from one run to the next
        nothing = {"Creator": None, "Producer": None, "CreationDate": None}
        write(png, lambda file: figure.savefig(file, format="png", dpi=200, metadata={"Software": None}))
        write(pdf, lambda file: figure.savefig(file, format="pdf", metadata=nothing))
    return png, pdf


def _draw_bids(axes: "Axes", outcome: Outcome, exact: Equilibrium | None) -> None:
    """The mean bid of each value, a line per round and bidder; of one value, how its bids are distributed."""
    game, strategies = outcome.games[0], outcome.strategy[0].reshape(-1, *outcome.strategy.shape[-2:])
    if len(game.groups) > 1:
        _draw_groups(axes, outcome, exact)
        return
    values, bids = game.value_grid, game.bid_grid
    quantiles = (np.arange(len(values)) + 0.5) / len(values)
    if len(values) > 1:
        axes.plot(values, (strategies @ bids).T, color="0.6", lw=0.7)
        if exact is not None:
            axes.plot(values, exact.bid_at(quantiles), color="black", ls="--", label="equilibrium")
        axes.set(xlabel="value", ylabel="mean bid", title="What bidders bid, a line per round")
    else:
        axes.plot(bids, np.cumsum(strategies[:, 0], axis=1).T, color="0.6", lw=0.7)
        if exact is not None:
            q = np.linspace(0, 1, 501)
            axes.plot(exact.bid_at(q), q, color="black", ls="--", label="equilibrium")
        axes.set(xlabel="bid", ylabel="share of bids up to it", title="What bidders bid, a line per round")
    if exact is not None:
        axes.legend(loc="upper left")


def _draw_groups(axes: "Axes", outcome: Outcome, exact: Equilibrium | None) -> None:
    """How the bids of each group are distributed, a line per round and bidder or group."""
    game = outcome.games[0]
    strategies = outcome.strategy[0]  # [rounds, bidders or groups, values, bids]
    rows = strategies.shape[1]
    of_row = np.arange(rows) if rows == len(game.groups) else np.repeat(np.arange(len(game.groups)), game.counts)
    q = np.linspace(0, 1, 501)
    for group in range(len(game.groups)):
        mass = strategies[:, of_row == group].mean(axis=2).reshape(-1, len(game.bid_grid))
        lines = axes.plot(game.bid_grid, np.cumsum(mass, axis=1).T, color=f"C{group}", lw=0.7)
        lines[0].set_label(f"group {group + 1}")
        if exact is not None:
            name = "equilibrium" if group == 0 else None
            axes.plot(exact.groups[group].bid_at(q), q, color="black", ls="--", label=name)
    axes.set(xlabel="bid", ylabel="share of bids up to it", title="What bidders bid, a line per round")
    axes.legend(loc="lower right")


def _draw_history(axes: "Axes", outcome: Outcome) -> None:
    """Exploitability along each round, and how little of it counts as converged."""
    history, far = outcome.history[0], outcome.distance[0]
    # what would be at the tolerance if the distance fell with exploitability, in proportion
    limits = outcome.exploitability[0][far > 0] * outcome.tolerance / far[far > 0]
    limit = float(limits.min()) if limits.size else outcome.tolerance * float(outcome.stakes[0])
    along = np.arange(1, history.shape[1] + 1) / history.shape[1]
    axes.plot(along, np.where(history > 0, history, np.nan).T, color="0.6", lw=0.7)
    axes.axhline(limit, color="black", ls=":", label="converged below")
    axes.set(xlabel="part of the run", ylabel="exploitability", title="How it was learned", yscale="log")
    axes.legend(loc="upper right")
