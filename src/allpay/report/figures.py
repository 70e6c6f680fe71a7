"""Figures of studies: what was simulated under each design, the fitted network, the equilibrium, and the optimum found.

Matplotlib is imported where it is used, by its object-oriented interface; nobody's global settings are changed.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from allpay.contest.bidder import kinds_of_values
from allpay.contest.game import Array
from allpay.errors import AllpayError
from allpay.objectives import BIDS, CHANCE, NONE, NUMBER
from allpay.outcome import Verdict
from allpay.report.learned import DISTRIBUTION, LEARNED, draw_learned
from allpay.report.look import COLOURS, drawing, save
from allpay.report.summary import (
    PLAIN,
    contest_in_words,
    equilibrium_curves,
    games_in_words,
    raised,
    setting_of,
    who_in_words,
    without_limits,
)
from allpay.scalars import numeral
from allpay.simplex import FEW_ZEROS, looked_at, shown
from allpay.theory import equilibrium_or_reason

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from allpay.pipeline import Result

AXIS_WIDTH = 48
"""Letters of a line beside an axis."""

IN_WORDS = {NUMBER: "", CHANCE: "probability", NONE: ""}
"""The units of objectives that are neither bids nor values; empty where the name says it."""

COLUMN = 3.5
"""Width of a journal's column, in inches; a figure is one or two of them wide."""

TITLE_WIDTH, NARROW = 46, 36
"""Letters of a title that fit over a panel of a column's width, and over a narrower one."""

CAPTION_WIDTH = 76
"""Letters of the caption that fit into a line of a column's width."""

NARROWEST = 0.008
"""The least width of an interval's bar, as a part of the axis; a narrower interval is drawn as wide."""

PANELS_IN_A_ROW = 3
"""So many panels of a study stand beside each other; of more, two and two."""

SLICED = 101
"""At so many numbers what the network says is drawn over what is chosen beside the weights."""

OVERLAID = 2
"""How many learners can be read in one panel; of more, each gets its own."""

# markers tell learners apart where colours do not
_LOOKS = tuple(zip(COLOURS, "o^sv", strict=True))
_NEUTRAL = "0.35"
_DASHED, _DOTTED, _DASHDOT = (0, (4, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5))
_BEST: dict[str, Any] = {"marker": "*", "ms": 10, "mec": "black", "mew": 0.6, "ls": "none"}
_CHECKED: dict[str, Any] = {"marker": "D", "ms": 3.2, "mfc": "white", "mec": "black", "mew": 0.7, "ls": "none"}
_THEORY: dict[str, Any] = {"marker": "x", "ms": 5, "mec": "black", "mew": 1.2, "ls": "none"}
Looks = dict[str, tuple[str, str]]


def draw_designs(results: "Sequence[Result]", path: Path | str) -> tuple[Path, Path]:
    """Draw what each study simulated under its designs and what it found, as a PNG and a PDF.

    The same results give the same bytes.

    Args:
        results: studies of one objective, all with designs of two weights or all of more.
        path: of either file; the other lies next to it.

    Returns:
        Where the PNG and the PDF are.

    Raises:
        AllpayError: if there is nothing to draw, the studies do not fit one figure, or a file cannot be written.
    """
    path = Path(path)
    stem = path.with_suffix("") if path.suffix.lower() in {".png", ".pdf"} else path
    png, pdf = (stem.with_name(stem.name + suffix) for suffix in (".png", ".pdf"))
    with drawing():
        figure = designs_figure(results)
        save(figure, png)
        save(figure, pdf)
    return png, pdf


def designs_figure(results: "Sequence[Result]") -> "Figure":
    """The figure that `draw_designs` writes.

    Designs of two weights: a panel per rule and game, in which each study's rounds, means, network and optimum are drawn
    over the weight of the highest rank. Designs of more: a row per study, with its predictions against the simulated
    means, and the best weights. Beside or below either, what bidders bid in the fresh rounds under the best design.

    Raises:
        AllpayError: as `draw_designs`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not results:
        raise AllpayError("nothing to draw: give at least one result")
    if len({r.sweep.study.objective for r in results}) > 1:
        raise AllpayError("studies of different objectives do not share an axis: draw them apart")
    if len({r.sweep.study.space.line for r in results}) > 1:
        raise AllpayError("designs of two weights and designs of more do not share a figure: draw them apart")
    with drawing():
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        if results[0].sweep.study.space.line:
            _draw_curves(figure, results)
        else:
            _draw_many_ranks(figure, results)
    return figure


# Designs (w, 1−w, 0, …) -----------------------------------------------------------------------------------------------


def _draw_curves(figure: "Figure", results: "Sequence[Result]") -> None:
    looks, limited = _looks(results), dict[str, None]()
    rows = [[group] if len(group) <= OVERLAID else [[r] for r in group] for group in _by_game(results)]
    columns = max(map(len, rows))
    axes, beside = _grid(figure, len(rows), columns)
    for row, axes_row, bids_row in zip(rows, axes, beside, strict=True):
        for ax, panel in zip(axes_row, row, strict=False):
            for k, result in enumerate(panel):
                colour, marker = looks[result.sweep.study.learner.name]
                _draw_rounds(ax, result, colour, marker)
                _draw_network(ax, result, colour)
                _draw_optimum(ax, result, colour, 0.025 + 0.045 * k)
            limited |= dict.fromkeys(_draw_equilibrium(ax, panel))
            ax.set_title(_title(panel) if columns == 1 else _column_title(panel[0], first=ax is axes_row[0]))
            ax.set_xlim(*_ends(results))
        for ax, panel in zip(bids_row, row, strict=False):
            _draw_bids(ax, panel, looks, first=ax is bids_row[0])
        for ax in (*axes_row[len(row) :], *bids_row[len(row) :]):
            ax.set_visible(False)
        _widen(axes_row[0], max(map(len, row)))
        axes_row[0].set_ylabel(_axis(row[0][0]))
    for ax in axes[-1]:
        ax.set_xlabel("weight of the highest rank, w" if columns <= 2 else "highest rank's weight, w")
    height = 2.2 if columns == 1 else 4.0
    lines = _legend(figure, results, looks, 3, list(limited))
    _finish(figure, results, 2 * COLUMN, height * len(rows) + 0.2 + 0.14 * lines)


def _grid(figure: "Figure", rows: int, columns: int) -> "tuple[list[list[Axes]], list[list[Axes]]]":
    """Axes of designs, which share the weight, and of bids, `[rows][columns]`: those to the right of these where there is one
    column, else below them."""
    single = columns == 1
    grid = figure.add_gridspec(
        rows if single else 2 * rows, 2 if single else columns, width_ratios=(1.25, 1) if single else None
    )
    axes: list[list[Axes]] = []
    for i in range(rows):
        axes.append([])
        for j in range(columns):
            place = grid[i if single else 2 * i, j]
            first = axes[0][0] if axes[0] else None
            axes[i].append(figure.add_subplot(place, sharex=first, sharey=axes[i][0] if j else None))
            axes[i][j].tick_params(labelleft=j == 0)
    bids = [
        [figure.add_subplot(grid[i, 1] if single else grid[2 * i + 1, j]) for j in range(columns)] for i in range(rows)
    ]
    return axes, bids


def _draw_bids(ax: "Axes", results: "Sequence[Result]", looks: Looks, first: bool = True) -> None:
    """What bidders bid in the rounds that check each study's best design."""
    for result in results:
        game, (colour, _) = result.check.games[0], looks[result.sweep.study.learner.name]
        found = equilibrium_or_reason(game)
        draw_learned(ax, result.check, None if isinstance(found, str) else found, colour, named=len(results) == 1)
    if not first:
        ax.set_ylabel("")
    designs = " and ".join(dict.fromkeys(shown(r.optimum.weights, 2) for r in results))
    ax.set_title(fill(f"bids under {designs}", NARROW) if first or len(results) == 1 else "")


def _by_game(results: "Sequence[Result]") -> "list[list[Result]]":
    """The results by rule and continuous game, so that one equilibrium curve serves all of a group."""
    groups: list[tuple[object, list[Result]]] = []
    for result in results:
        key = (result.sweep.study.space, without_limits(setting_of(result)))
        same = next((group for other, group in groups if other == key), None)
        if same is None:
            groups.append((key, [result]))
        else:
            same.append(result)
    return [group for _, group in groups]


def _draw_rounds(ax: "Axes", result: "Result", colour: str, marker: str) -> None:
    values, settled = result.sweep.values(), _settled(result)
    w = result.sweep.weights[:, 0]
    every = np.broadcast_to(w[:, None], values.shape)
    filled: dict[str, Any] = {"s": 9, "c": colour, "alpha": 0.45, "lw": 0, "label": "rounds"}
    hollow: dict[str, Any] = {"s": 9, "c": "none", "edgecolors": colour, "alpha": 0.7, "lw": 0.5}
    for kept, look in ((settled, filled), (~settled, {**hollow, "label": "unsettled rounds"})):
        if kept.any():
            ax.scatter(every[kept], values[kept], **look, zorder=2.5)
    ax.errorbar(
        w,
        values.mean(axis=1),
        _stderr(values),
        fmt=marker,
        ms=3.2,
        mec="white",
        mew=0.3,
        color=colour,
        elinewidth=0.8,
        zorder=3,
        label="means",
    )


def _draw_network(ax: "Axes", result: "Result", colour: str) -> None:
    _, designs = looked_at(result.sweep.study.space.polytope, count=201)
    members = result.surrogate.members(designs)
    tail = (1 - result.optimum.confidence) / 2
    low, high = np.quantile(members, [tail, 1 - tail], axis=0)
    ax.fill_between(designs[:, 0], low, high, color=colour, alpha=0.2, lw=0, zorder=2, label="band")
    ax.plot(designs[:, 0], members.mean(axis=0), color=colour, zorder=2, label="network")


def _draw_equilibrium(ax: "Axes", results: "Sequence[Result]") -> list[str]:
    """Draw the equilibrium of the game without limits on bids, and name the learners whose limits it breaks somewhere.

    Where a learner's cap binds, the equilibrium with bids pooled at it is drawn too.
    """
    _, designs = looked_at(results[0].sweep.study.space.polytope, count=101)
    curves = [equilibrium_curves(result, designs) for result in results]
    free = curves[0].free
    holds = np.isfinite(free) & ~np.any([c.binds for c in curves], axis=0)
    for kept, dashes, width, label in (
        (holds, _DASHED, 1.0, "equilibrium"),
        (~holds, _DOTTED, 1.6, "equilibrium beyond limits"),
    ):
        if np.isfinite(free[kept]).any():
            curve = np.where(kept, free, np.nan)
            ax.plot(designs[:, 0], curve, color="black", ls=dashes, lw=width, zorder=4, label=label)
    pooled = {np.where(c.pooled, c.own, np.nan).tobytes(): c for c in curves if c.pooled.any()}
    for c in pooled.values():
        beside = np.convolve(c.pooled, [1, 1, 1], "same") > 0  # up to where the cap no longer binds
        ax.plot(
            designs[:, 0], np.where(beside, c.own, np.nan), color="black", ls=_DASHDOT, lw=1.0, zorder=4, label="pooled"
        )
    return [
        result.sweep.study.learner.name
        for result, c in zip(results, curves, strict=True)
        if np.any(np.isfinite(free) & c.binds)
    ]


def _draw_optimum(ax: "Axes", result: "Result", colour: str, height: float) -> None:
    best = result.optimum
    left, right = _ends([result])
    narrowest = NARROWEST * (right - left)
    for low, high in best.parts[0]:
        half = max(high - low, narrowest) / 2
        middle = min(max((low + high) / 2, left + half), right - half)
        ax.plot(
            (low, high) if high - low > narrowest else (middle - half, middle + half),
            [height, height],
            transform=ax.get_xaxis_transform(),
            color=colour,
            lw=3,
            solid_capstyle="butt",
            zorder=5,
            clip_on=False,
            label="interval",
        )
    if best.undecided:  # no design is best
        return
    _draw_best(ax, best.weights[0], result, colour)
    ax.errorbar(
        best.weights[0],
        result.checked.mean,
        _finite(result.checked.stderr),
        **_CHECKED,
        ecolor="black",
        elinewidth=0.8,
        capsize=1.5,
        zorder=7,
        clip_on=False,
        label="checked",
    )


def _draw_best(
    ax: "Axes", x: float, result: "Result", colour: str, xerr: float | None = None, label: str = "best"
) -> None:
    value, low, high = result.optimum.prediction
    ax.errorbar(
        x,
        value,
        xerr=xerr,
        yerr=[[value - low], [high - value]],
        **_BEST,
        color=colour,
        ecolor="black",
        elinewidth=1.0,
        capsize=2.5,
        zorder=6,
        clip_on=False,
        label=label,
    )


def _ends(results: "Sequence[Result]") -> tuple[float, float]:
    """The least and the most that the first weight of a design on a line can be."""
    first = np.concatenate([r.sweep.study.space.polytope.corners[..., 0].ravel() for r in results])
    return float(first.min()), float(first.max())


def _widen(ax: "Axes", intervals: int, least: float = 0.2) -> None:
    """Room for the intervals at the bottom; and never so close that the noise of a flat curve looks like a shape."""
    low, high = ax.get_ylim()
    middle = (low + high) / 2
    half = max(high - low, least * abs(middle)) / 2
    ax.set_ylim(middle - half * (1 + 0.1 * intervals), middle + half)


# Designs of more weights ----------------------------------------------------------------------------------------------


def _draw_many_ranks(figure: "Figure", results: "Sequence[Result]") -> None:
    looks = _looks(results)
    panels = [_panels(result) for result in results]
    most = max(map(len, panels))
    columns = most if most <= PANELS_IN_A_ROW else 2
    rows = -(-most // columns)
    axes = figure.subplots(len(results) * rows, columns, squeeze=False, width_ratios=(1, *[0.9] * (columns - 1)))
    for k, (result, drawn) in enumerate(zip(results, panels, strict=True)):
        own = axes[k * rows : (k + 1) * rows].ravel()
        for ax, panel in zip(own, drawn, strict=False):
            panel(ax, result, looks)
        for ax in own[len(drawn) :]:
            ax.set_visible(False)
    lines = _legend(figure, results, looks, columns=3)
    _finish(figure, results, 2 * COLUMN, 2.9 * len(results) * rows + 0.2 * lines)


def _panels(result: "Result") -> list[Callable[["Axes", "Result", Looks], None]]:
    """What is drawn of a study whose designs are more than a line: fit, weights, what is chosen beside them, and bids."""
    space = result.sweep.study.space
    choices = [partial(_draw_choice, place=space.bidders + k) for k in range(len(space.choose))]
    return [_draw_fit, *[_draw_weights] * (space.dimension > 1), *choices, _draw_best_bids]


def _draw_best_bids(ax: "Axes", result: "Result", looks: Looks) -> None:
    _draw_bids(ax, [result], looks)
    what = "weights" if not result.optimum.chosen else "design"
    these = f"these {what}" if what == "weights" else "this design"
    ax.set_title(f"bids under the best {what}" if not result.optimum.undecided else f"bids under {these}")


def _draw_choice(ax: "Axes", result: "Result", looks: Looks, place: int) -> None:
    """The objective over a number that is chosen with the weights: the designs simulated, and what the network says of the best
    design if that number is changed alone."""
    colour, marker = looks[result.sweep.study.learner.name]
    space, best = result.sweep.study.space, result.optimum
    choice, chosen = space.choose[place - space.bidders], best.chosen[place - space.bidders]
    ax.plot(
        result.sweep.weights[:, place], result.sweep.values().mean(axis=1), marker, ms=3, color="0.7", label="others"
    )
    points = np.repeat(space.points(np.array(best.design))[None], SLICED, axis=0)
    points[:, place] = np.linspace(0, 1, SLICED)
    along = choice.at(points[:, place])
    members = result.surrogate.members(points)
    tail = (1 - best.confidence) / 2
    ax.fill_between(along, *np.quantile(members, [tail, 1 - tail], axis=0), color=colour, alpha=0.2, lw=0, label="band")
    ax.plot(along, members.mean(axis=0), color=colour, label="network")
    ax.plot(
        (chosen.low, chosen.high),
        (0.025, 0.025),
        transform=ax.get_xaxis_transform(),
        color=colour,
        lw=3,
        solid_capstyle="butt",
        clip_on=False,
        label="interval",
    )
    if not best.undecided:
        _draw_best(ax, chosen.value, result, colour)
    if result.exact_best is not None and not result.exact_best.flat:
        ax.axvline(dict(result.exact_best.chosen)[choice.name], color="black", ls=_DASHED, lw=0.8, label="theory's")
    seen = np.concatenate([result.sweep.values().mean(axis=1), members.mean(axis=0)])
    room = 0.08 * (float(np.ptp(seen)) or abs(float(seen[0])) or 1.0)
    ax.set_ylim(seen.min() - 2 * room, seen.max() + room)  # a wide band may end beyond
    ax.set(xlabel=chosen.words, ylabel=_axis(result), title=fill("line: the rest as in the best design", NARROW))


def _draw_fit(ax: "Axes", result: "Result", looks: Looks) -> None:
    colour, marker = looks[result.sweep.study.learner.name]
    values, settled = result.sweep.values(), _settled(result).all(axis=1)
    predicted, spread = result.surrogate.predict(result.sweep.points)
    means, stderr = values.mean(axis=1), _stderr(values)
    for kept, face, label in ((settled, colour, "designs"), (~settled, "white", "unsettled designs")):
        if kept.any():
            ax.errorbar(
                means[kept],
                predicted[kept],
                xerr=None if stderr is None else stderr[kept],
                yerr=spread[kept],
                fmt=marker,
                ms=3.5,
                color=colour,
                mfc=face,
                mew=0.6,
                elinewidth=0.7,
                zorder=3,
                label=label,
            )
    if not result.optimum.undecided:
        _draw_best(ax, result.checked.mean, result, colour, _finite(result.checked.stderr), "best against check")
    ends = [min(ax.get_xlim()[0], ax.get_ylim()[0]), max(ax.get_xlim()[1], ax.get_ylim()[1])]
    ax.plot(ends, ends, color="black", ls=_DASHED, lw=0.8, zorder=1, label="diagonal")
    ax.set(
        xlim=ends,
        ylim=ends,
        aspect="equal",
        anchor="N",  # its title stands beside those of the other panels
        xlabel=f"simulated {_axis(result)}",
        ylabel="predicted by the network",
    )
    ax.locator_params(nbins=6)
    held_out = f"held-out designs: r² = {result.surrogate.r2:.3f}, rmse = {numeral(result.surrogate.rmse, 2)}"
    ax.annotate(held_out, (0.5, -0.3), xycoords=ax.xaxis.label, ha="center", va="top", fontsize=7)  # over no design
    ax.set_title(_title([result], NARROW, lines=1))


def _draw_weights(ax: "Axes", result: "Result", looks: Looks) -> None:
    colour, _ = looks[result.sweep.study.learner.name]
    best, theory = result.optimum, result.exact_best
    highest = [high for _, high in best.interval]
    carrying = 1 + max(rank for rank, high in enumerate(highest) if high > 0)
    shown_ranks = len(highest) if len(highest) - carrying <= FEW_ZEROS else carrying
    rank, weights = np.arange(1, shown_ranks + 1), np.array(best.weights)[:shown_ranks]
    if not best.undecided:
        ax.bar(rank, weights, color=colour, alpha=0.6, width=0.6, zorder=2, label="weights")
    spans = [(place, *span) for place, parts in zip(rank, best.parts, strict=False) for span in parts]
    places, lows, highs = np.array(spans).T
    ax.errorbar(
        places,
        lows,
        [np.zeros(len(lows)), highs - lows],
        fmt="none",
        ecolor="black",
        elinewidth=1,
        capsize=4,
        zorder=3,
        clip_on=False,
        label="ranges",
    )
    if theory is not None and not theory.flat:
        ax.plot(rank, theory.weights[:shown_ranks], **_THEORY, zorder=4, clip_on=False, label="theory")
    every = -(-len(rank) // 16)  # of many ranks, not all are numbered
    title = "best weights unknown" if best.uncertain else "no weights are best" if best.flat else "best weights"
    what = "part of the prize" if result.sweep.study.space.rule == "prizes" else "part of its bid that a rank pays"
    others = "" if shown_ranks == len(highest) else f" (from {shown_ranks + 1} to {len(highest)}: 0)"
    ax.set(xlabel=f"rank{others}", ylabel=f"weight: {what}", xticks=rank[::every], ylim=(0, 1.05), title=title)


# Shared ---------------------------------------------------------------------------------------------------------------


def _legend(
    figure: "Figure", results: "Sequence[Result]", looks: Looks, columns: int, limited: Sequence[str] = ()
) -> int:
    """One legend below all panels, of what is in them; how many lines it takes."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colour, marker = (_NEUTRAL, "o") if len(looks) > 1 else next(iter(looks.values()))
    confidence = f"{results[0].optimum.confidence:.0%}"

    def sign(**style: Any) -> Line2D:
        return Line2D([], [], **{"color": colour, "ls": "none", **style})

    signs: dict[str, tuple[str, Any]] = {
        "rounds": ("round", sign(marker="o", ms=2.5, mew=0, alpha=0.5)),
        "unsettled rounds": ("round, not converged", sign(marker="o", ms=2.8, mfc="none", mew=0.5, alpha=0.7)),
        "means": ("mean ± standard error", sign(marker=marker, ms=3.5)),
        "others": ("design simulated", sign(marker=marker, ms=3, color="0.7")),
        "designs": ("design", sign(marker=marker, ms=3.5)),
        "unsettled designs": ("design, not all rounds converged", sign(marker=marker, ms=3.5, mfc="white", mew=0.6)),
        "network": (f"network, {confidence} band", (Patch(color=colour, alpha=0.2, lw=0), sign(ls="-"))),
        "equilibrium": ("equilibrium", sign(color="black", ls=_DASHED, lw=1)),
        "equilibrium beyond limits": (
            f"equilibrium, not allowed\nto {' and '.join(limited)}",
            sign(color="black", ls=_DOTTED, lw=1.6),
        ),
        "pooled": ("equilibrium, bids pooled at the cap", sign(color="black", ls=_DASHDOT, lw=1)),
        DISTRIBUTION: ("bids, mean over rounds", sign(ls="-")),
        LEARNED: ("mean bid, middle 80% of bids", (Patch(color=colour, alpha=0.18, lw=0), sign(ls="-"))),
        "best": (f"best found, {confidence} interval", sign(**_BEST)),
        "best against check": (f"best found, {confidence} interval, against fresh simulation", sign(**_BEST)),
        "checked": ("best found, simulated afresh", sign(**_CHECKED)),
        "interval": ("not told apart from the best", sign(ls="-", lw=3)),
        "weights": ("best found", Patch(color=colour, alpha=0.6, lw=0)),
        "ranges": ("not told apart from the best", sign(color="black", marker="|", ms=9, mew=1.2)),
        "theory": ("best by theory", sign(**_THEORY)),
        "theory's": ("best by theory", sign(color="black", ls=_DASHED, lw=0.8)),
    }
    drawn = {label for ax in figure.axes for label in ax.get_legend_handles_labels()[1]}
    if "best" in drawn:  # of two signs that look the same
        drawn -= {"best against check"}
    entries: list[tuple[str, Any]] = []
    if len(looks) > 1:
        entries += [(name, sign(color=c, marker=m, ms=4, ls="-")) for name, (c, m) in looks.items()]
    entries += [entry for label, entry in signs.items() if label in drawn]
    words, handles = zip(*entries, strict=True)
    figure.legend(handles, words, loc="outside lower center", ncols=columns)
    return -(-len(entries) // columns) + any("\n" in word for word in words)


def _finish(figure: "Figure", results: "Sequence[Result]", width: float, height: float) -> None:
    """Set the figure's size, and put a caption below the legend: what was played."""
    from matplotlib.offsetbox import TextArea, VPacker

    lines = [fill(line, int(CAPTION_WIDTH * width / COLUMN)) for line in _captions(results)]
    caption = "\n".join(lines)
    box = figure.legends[0].get_children()[0]  # as a part of the legend, the caption has its room in the layout
    assert isinstance(box, VPacker)
    text = TextArea(caption, textprops={"size": 6, "color": _NEUTRAL})
    text.set_figure(figure)
    box.get_children().append(text)
    figure.set_size_inches(width, height + 0.05 + 0.11 * (caption.count("\n") + 1))


def _looks(results: "Sequence[Result]") -> Looks:
    """The colour and marker of each learner."""
    names = dict.fromkeys(r.sweep.study.learner.name for r in results)
    return dict(zip(names, cycle(_LOOKS), strict=False))


def _title(results: "Sequence[Result]", width: int = TITLE_WIDTH, lines: int = 2) -> str:
    study = results[0].sweep.study
    learners = "" if len(results) > 1 else f", {study.learner.name}"
    return f"{study.space.rule}{learners}\n{_game(results[0], width, lines)}"


def _column_title(result: "Result", first: bool) -> str:
    """The learner; above the first of a row, what is common to the row, which runs on over the others."""
    study = result.sweep.study
    row = f"{study.space.rule}, {_game(result, 2 * TITLE_WIDTH, lines=1)}" if first else ""
    return f"{row}\n{study.learner.name}"


def _game(result: "Result", width: int, lines: int = 2) -> str:
    """Who bids for what, in lines of so many letters; where that is long the caption has it, and this only how many bid."""
    bidders = result.sweep.study.space.bidders
    text = fill(who_in_words(setting_of(result), bidders), width)
    return text if text.count("\n") < lines else f"{bidders} bidders"


def _captions(results: "Sequence[Result]") -> list[str]:
    """What was played, a line each: the contests, and the grids of each learner's bidders."""
    contests: dict[str, None] = {}
    for result in results:
        study, setting = result.sweep.study, setting_of(result)
        who = who_in_words(setting, study.space.bidders)
        contests[f"{study.space.rule}: {who}. {' '.join(contest_in_words(setting))}"] = None
    return [*contests, *games_in_words(results)]


def _axis(result: "Result") -> str:
    """What is on the axis of the objective, with its unit."""
    goal = result.sweep.study.goal
    what = fill(goal.words, AXIS_WIDTH)
    setting = setting_of(result)
    highest = max(kind.highest for kind in kinds_of_values(setting.values))
    if goal.units in IN_WORDS:
        return f"{what}\n({IN_WORDS[goal.units]})" if IN_WORDS[goal.units] else what
    if goal.units == BIDS and setting.cost_power != 1:  # a bid is no amount of value: its cost is
        return f"{what}\n(b costs {raised(setting.cost_power)}; values up to {numeral(highest, 3)})"
    if isinstance(setting.values, tuple) and any(bidder.cost != PLAIN.cost for bidder, _ in setting.values):
        return f"{what}\n(in units of bids, whose cost differs)"
    return (
        f"{what}\n(in units of the highest value)" if highest == 1 else f"{what}\n(highest value {numeral(highest, 4)})"
    )


def _settled(result: "Result") -> NDArray[np.bool_]:
    """`[samples, rounds]` whether learning converged."""
    return result.sweep.values("verdict") == Verdict.CONVERGED.value


def _stderr(values: Array) -> Array | None:
    """`[designs]` the standard error of each mean; None for one round."""
    rounds = values.shape[1]
    return values.std(axis=1, ddof=1) / np.sqrt(rounds) if rounds > 1 else None


def _finite(x: float) -> float:
    return x if np.isfinite(x) else 0.0
