"""What `.plot(ax=…)` of an equilibrium, an outcome, a sweep or a result draws: one panel, into axes of the user's own."""

from functools import singledispatch
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.errors import AllpayError, short
from allpay.outcome import Outcome
from allpay.pipeline import Result
from allpay.report import figures
from allpay.report.learned import draw_learned
from allpay.report.look import COLOURS, colour_of, dashes_of, drawing
from allpay.study.sweep import Sweep
from allpay.theory import Equilibrium, equilibrium_or_reason

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(made: Any, ax: "Axes | None" = None) -> "Axes":
    """Draw one of these into axes; into new ones, in allpay's style, if none are given. Returns the axes.

    Raises:
        AllpayError: if `ax` is not what a figure has, or there is nothing to draw.
    """
    if ax is not None and not hasattr(ax, "errorbar"):
        raise AllpayError(f"plot draws into axes of Matplotlib, as of plt.subplots(): got {short(ax)}")
    if ax is not None:
        _draw(made, ax)
        return ax
    with drawing():
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=(figures.COLUMN * 1.25, 2.8), layout="constrained")
        _draw(made, ax)
    return ax


@singledispatch
def _draw(made: Any, ax: "Axes") -> None:
    raise AllpayError(f"nothing is drawn of {type(made).__name__}")


@_draw.register(Equilibrium)
def _of_equilibrium(made: Equilibrium, ax: "Axes") -> None:
    """Bids by the quantile of the value, a line for each group."""
    q = np.linspace(0.0, 1.0, 501)
    several = len(made.groups) > 1
    for k, play in enumerate(made.groups):
        label = f"group {k + 1}" if several else "equilibrium"
        ax.plot(q, play.bid_at(q), color=colour_of(k), ls=dashes_of(k), label=label)
    ax.set(xlabel="quantile of the value", ylabel="bid", xlim=(0, 1))
    ax.set_ylim(bottom=0)
    if several:
        ax.legend(frameon=False)


@_draw.register(Outcome)
def _of_outcome(made: Outcome, ax: "Axes") -> None:
    """The bids that were learned under the first design, beside theory."""
    found = equilibrium_or_reason(made.games[0])
    draw_learned(ax, made, None if isinstance(found, str) else found, COLOURS[0])
    handles, words = ax.get_legend_handles_labels()
    kept = dict(zip(words, handles, strict=True))
    if len(kept) > 1:
        ax.legend(kept.values(), kept.keys(), frameon=False)


@_draw.register(Sweep)
def _of_sweep(made: Sweep, ax: "Axes") -> None:
    """The rounds and the mean of each design over its first weight."""
    figures._draw_rounds(ax, SimpleNamespace(sweep=made), COLOURS[0], "o")  # type: ignore[arg-type]
    ax.set(xlabel="weight of the highest rank", ylabel=made.study.goal.words)


@_draw.register(Result)
def _of_result(made: Result, ax: "Axes") -> None:
    """Of designs on a line: rounds, network, equilibrium and optimum; else the best weights and what cannot be told apart."""
    looks = {made.sweep.study.learner.name: (COLOURS[0], "o")}
    if not made.sweep.study.space.line:
        figures._draw_weights(ax, made, looks)
        return
    _of_sweep(made.sweep, ax)
    figures._draw_network(ax, made, COLOURS[0])
    figures._draw_optimum(ax, made, COLOURS[0], 0.025)
    figures._draw_equilibrium(ax, [made])
    ax.set(xlim=figures._ends([made]), ylabel=figures._axis(made))
