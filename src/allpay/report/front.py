"""A Pareto front in words, as a table and as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from allpay.errors import AllpayError
from allpay.optimum import beside_in_words, in_words
from allpay.pareto import Front
from allpay.report.look import drawing, save
from allpay.report.words import keep_table, significant, with_error

if TYPE_CHECKING:
    from polars import DataFrame

MOST_PANELS = 6
"""Pairs of objectives that are drawn at most."""


def front_table(front: Front) -> "DataFrame":
    """A row for each design of the front: its weights, each objective, its standard error, and whether it is efficient."""
    import polars as pl

    kept = [*range(front.space.dimension), *range(front.space.bidders, front.weights.shape[1])]
    columns = {front.space.names[k]: front.weights[:, k] for k in kept}
    for j, goal in enumerate(front.objectives):
        columns[goal.text] = front.values[:, j]
        columns[f"{goal.text} stderr"] = front.errors[:, j]
    return pl.DataFrame({**columns, "efficient": front.efficient})


def front_values(front: Front) -> dict[str, object]:
    """For JSON: the front, and what was asked."""
    points = [
        {
            "weights": weights[: front.space.bidders].tolist(),
            "chosen": dict(
                zip(front.space.names[front.space.bidders :], weights[front.space.bidders :].tolist(), strict=True)
            ),
            "efficient": bool(efficient),
            "values": {
                goal.text: {"mean": float(value), "stderr": float(error) if front.rounds else None}
                for goal, value, error in zip(front.objectives, values, errors, strict=True)
            },
        }
        for weights, values, errors, efficient in zip(
            front.weights, front.values, front.errors, front.efficient, strict=True
        )
    ]
    return {
        "rule": front.space.rule,
        "method": "surrogate" if front.rounds else "theory",
        "objectives": [goal.text for goal in front.objectives],
        "front": points,
        "rounds": front.rounds,
        "seconds": front.seconds,
    }


def front_in_words(front: Front) -> str:
    """A table of the efficient designs, and a sentence on how they were found."""
    shown, n = [i for i in range(len(front.weights)) if front.efficient[i]], front.space.bidders
    head = ["design" if front.space.choose else "weights", *(goal.words for goal in front.objectives)]
    rows = [
        [
            in_words(front.weights[i, :n].tolist()) + _beside(front, i),
            *(
                with_error(value, error if np.isfinite(error) else None) if front.rounds else significant(value)
                for value, error in zip(front.values[i], front.errors[i], strict=True)
            ),
        ]
        for i in shown
    ]
    keep_table([head, *rows], f"Pareto front of {' and '.join(head[1:])}{'' if front.rounds else ', by theory'}.")
    widths = [max(len(row[k]) for row in [head, *rows]) for k in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    names = " and ".join(goal.words for goal in front.objectives)
    told = f"Pareto front of {names}: no design below is better than another in all of them.\n"
    if len(shown) == 1:
        told = f"One design is best for all: {names}.\n"
    if not front.rounds:
        return "\n".join([told, *lines, f"\nBy theory; {front.seconds:.2f} s."])
    left = len(front.weights) - len(shown)
    rounds = f"{front.rounds} fresh round{'s' if front.rounds > 1 else ''} each, ± standard error"
    also = f"; {left} more looked as good to the networks, and did worse" if left else ""
    grid = "What the grid of bids and values leaves open is not in it, and is the same for all of them or nearly so."
    return "\n".join([told, *lines, f"\nMeans of {rounds}{also}. {grid}"])


def _beside(front: Front, i: int) -> str:
    """What a design of the front has beside its weights, in words."""
    n = front.space.bidders
    return beside_in_words(zip(front.space.names[n:], front.weights[i, n:].tolist(), strict=True))


def draw_front(front: Front, path: Path) -> tuple[Path, Path]:
    """Draw each pair of objectives, simulated designs in grey and the front in colour, as a PNG and a PDF.

    Returns:
        Where these are.

    Raises:
        AllpayError: if a file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(front.objectives)
    pairs = [(i, j) for j in range(count) for i in range(j)]
    if len(pairs) > MOST_PANELS:
        raise AllpayError(
            f"at most {MOST_PANELS} pairs of objectives fit a figure: got {len(pairs)}; give fewer objectives"
        )
    png, pdf = path.with_suffix(".png"), path.with_suffix(".pdf")
    with drawing():
        columns = min(len(pairs), 3)
        rows = -(-len(pairs) // columns)
        figure = Figure(layout="constrained", figsize=(3.5 * columns, 2.9 * rows))
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes[len(pairs) :]:
            ax.set_visible(False)
        for ax, (i, j) in zip(axes, pairs, strict=False):
            one, two = front.objectives[i], front.objectives[j]
            if front.sweep is not None:
                means = (front.sweep.values(goal.column).mean(axis=1) for goal in (one, two))
                ax.plot(*means, ".", color="0.7", label="simulated designs")
            kept, errors = front.efficient, np.nan_to_num(front.errors)
            order = np.argsort(front.values[kept, i])
            ax.errorbar(
                front.values[kept, i][order],
                front.values[kept, j][order],
                xerr=errors[kept, i][order],
                yerr=errors[kept, j][order],
                fmt="o-" if count == 2 else "o",
                color="#0072B2",
                label="front, fresh rounds" if front.rounds else "front, by theory",
            )
            for k, side, place in ((order[0], "left", (4, 4)), (order[-1], "right", (-9, -3))):
                ax.annotate(
                    in_words(front.weights[kept][k, : front.space.bidders].tolist(), 2)
                    + _beside(front, int(np.flatnonzero(kept)[k])),
                    (front.values[kept, i][k], front.values[kept, j][k]),
                    xytext=place,
                    textcoords="offset points",
                    ha=side,
                )
            ax.set_xlabel(one.words)
            ax.set_ylabel(two.words)
            ax.legend()
        save(figure, png)
        save(figure, pdf)
    return png, pdf
