"""Charts of the report, as Vega-Lite says them: numbers in, a dictionary out that the page's own Vega draws.

Colours are the page's (`var(--…)` of its style sheet), so that one chart serves a light page, a dark one, and paper. Text from
a folder is only ever a datum, never part of an expression.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from allpay.report.beside import Line, Told, rounded

Chart = dict[str, Any]

INK, FAINT, GRID = "var(--ink)", "var(--faint)", "var(--rule)"
LEARNED, OTHER, THIRD, FOURTH = "var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)"
FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica Neue, Arial, sans-serif"
"""As the style sheet's, by name: Vega measures text before it stands in the page."""

KINDS = (LEARNED, OTHER, THIRD, FOURTH)

DASHES = ([1, 0], [8, 3], [6, 2, 2, 2], [2, 2])
SHAPES = ("circle", "triangle-up", "square", "diamond")
"""What tells kinds apart beside their colours: of lines, and of points."""

THEORY_DASH = [5, 3]

CONFIG: Chart = {
    "background": None,
    "autosize": {"type": "fit-x", "contains": "padding"},
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "domainColor": FAINT,
        "tickColor": FAINT,
        "gridColor": GRID,
        "labelFontSize": 12,
        "titleFontSize": 12.5,
        "titlePadding": 8,
        "tickCount": 6,
        "labelOverlap": "greedy",
        "labelSeparation": 6,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "titleFontWeight": "normal", "labelFontSize": 12},
    "title": {"color": INK, "fontWeight": "normal", "anchor": "start", "fontSize": 13},
    "text": {"color": INK, "fontSize": 12},
}

HISTORY: Chart = {"format": "~g", "tickCount": 4}

PADDING: Chart = {"left": 5, "top": 5, "bottom": 5, "right": 18}
"""Room for the half of a label, or of a point, that stands at the right end of an axis."""

ROOM = 1.24
"""How much longer than the longest bar its axis is."""

FIXED: Chart = {"autosize": {"type": "pad"}}
"""Of charts whose width is not the page's."""

LETTERS = 120
"""So many letters stand beside each other in a legend."""

MOST_POINTS = 1500
"""Of more designs than this only every second, third … is drawn, so that the page stays small."""


def bars(
    rows: Sequence[Mapping[str, Any]], unit: str, number: str = "", colours: Mapping[str, int] | None = None
) -> Chart:
    """What a few designs bring, a bar each, with an interval and what theory says.

    Args:
        rows: each with `name`, `value`, and if known `low`, `high` and `theory`.
        unit: what is measured.
        number: `%` if these are parts.
        colours: the number of the colour of each name; without, the best is in colour.
    """
    colour: Chart = {"field": "best", "scale": {"domain": [True, False], "range": [LEARNED, FAINT]}}
    if colours is not None:
        colour = {"field": "name", "scale": _numbered(colours)}
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelLimit": 340, "ticks": False, "labelPadding": 8},
    }
    x: Chart = {"field": "value", "type": "quantitative", "title": unit, "scale": {"zero": True, "nice": False}}
    if number:
        x["axis"] = {"format": number}
    furthest = max((row.get("end", row["value"]) for row in rows), default=0.0)
    # room for the numbers beside the bars; of nothing there is an axis, too
    x["scale"]["domainMax"] = float(f"{ROOM * furthest:.3g}") if furthest > 0 else 0.01 if number else 1.0
    layers: list[Chart] = [
        {
            "mark": {"type": "bar", "height": {"band": 0.62}},
            "encoding": {
                "x": x,
                "y": y,
                "color": {"type": "nominal", "legend": None, **colour},
                "tooltip": _tooltip(rows, ("name", "value", "low", "high", "theory")),
            },
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 6, "dy": -1, "fontSize": 13},
            "encoding": {"x": _field(_furthest(rows)), "y": y, "text": {"field": "told", "type": "nominal"}},
        },
    ]
    if any(row.get("low") is not None for row in rows):
        layers.append(
            {
                "mark": {"type": "rule", "color": INK, "strokeWidth": 1.4},
                "encoding": {"x": _field("low"), "x2": {"field": "high"}, "y": y},
            }
        )
    if any(row.get("theory") is not None for row in rows):
        layers.append(
            {
                "transform": [{"filter": {"field": "theory", "valid": True}}],
                "mark": {"type": "tick", "color": INK, "thickness": 2.5, "height": {"band": 0.8}},
                "encoding": {"x": _field("theory"), "y": y},
            }
        )
    return _chart(rows, {"layer": layers, "height": {"step": 46}})


def curve(
    points: Sequence[Mapping[str, Any]],
    band: Sequence[Mapping[str, Any]],
    exact: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    intervals: Sequence[Sequence[float]],
    labels: tuple[str, str],
    low: float,
    head: str,
) -> Chart:
    """The objective along a line of designs: means of the simulated designs, the network with its band, the equilibrium, the
    best design, which is called `head`, with its interval, and at the bottom the designs that cannot be told apart from it."""
    x = {"field": "w", "type": "quantitative", "title": labels[0], "scale": {"nice": False, "zero": False}}
    y = {"field": "value", "type": "quantitative", "title": labels[1], "scale": {"zero": False}}
    shown = {
        "simulated mean": (points, LEARNED),
        "network": (band, LEARNED),
        "equilibrium": (exact, INK),
        head: ([best], OTHER),
        "cannot be told apart": (intervals, THIRD),
    }
    colours = {name: colour for name, (drawn, colour) in shown.items() if drawn}
    colour = {"scale": {"domain": list(colours), "range": list(colours.values())}, "title": None}
    legend = {
        "legend": {"orient": "top", "columns": 5, "symbolType": "circle", "symbolStrokeWidth": 0, "symbolOpacity": 1}
    }

    def named(kind: str) -> Chart:
        return {"datum": kind, "type": "nominal", **colour, **legend}

    dashed = {"type": "line", "strokeDash": THEORY_DASH, "strokeWidth": 1.6}
    layers: list[Chart] = [
        {
            "data": {"values": rounded(band)},
            "mark": {"type": "area", "opacity": 0.22, "color": LEARNED},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": rounded(band)},
            "mark": {"type": "line", "strokeWidth": 1.8},
            "encoding": {"x": x, "y": y, "color": named("network")},
        },
        {
            "data": {"values": rounded(exact)},
            "mark": dashed,
            "encoding": {"x": x, "y": y, "color": named("equilibrium")},
        },
        {
            "data": {"values": rounded(points)},
            "mark": {"type": "rule", "color": LEARNED},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": rounded(points)},
            "mark": {"type": "circle", "size": 34, "opacity": 0.85},
            "encoding": {
                "x": x,
                "y": y,
                "color": named("simulated mean"),
                "tooltip": _tooltip(points, ("design", "value", "stderr", "equilibrium", "converged")),
            },
        },
        {
            "data": {"values": [{"from": a, "to": b, "at": low} for a, b in rounded(intervals)]},
            "mark": {"type": "rule", "strokeWidth": 7},
            "encoding": {
                "x": {**x, "field": "from"},
                "x2": {"field": "to"},
                "y": {**y, "field": "at"},
                "color": named("cannot be told apart"),
            },
        },
        {
            "data": {"values": rounded([best])},
            "mark": {"type": "rule", "color": OTHER, "strokeWidth": 2},
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": {"values": rounded([best])},
            "mark": {"type": "point", "shape": "diamond", "filled": True, "size": 150, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "color": named(head),
                "tooltip": _tooltip([best], ("design", "value", "low", "high")),
            },
        },
    ]
    layers = [layer for layer in layers if layer["data"]["values"]]
    return _with_config({"width": "container", "height": 340, "layer": layers})


def triangle(
    cells: Sequence[Mapping[str, Any]],
    designs: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    corners: Sequence[Mapping[str, Any]],
    side: float,
    unit: str,
) -> Chart:
    """A heat map of the objective over designs of three weights, with the simulated designs and the best one.

    Args:
        cells: `x`, `y` (in pixels), `up`, `value`, `near` and `design` of each small triangle.
        designs: the simulated ones, `x`, `y`, `value`, `stderr` and `design`.
        best: the best one.
        corners: `x`, `y`, `name`, `dy` of the designs at the corners.
        side: of a small triangle, in pixels.
        unit: what is measured.
    """
    x = {"field": "x", "type": "quantitative", "axis": None, "scale": {"domain": [-70, 500], "nice": False}}
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [-34, 404], "nice": False}}
    up, down = "M-1,0.5774L1,0.5774L0,-1.1547Z", "M-1,-0.5774L1,-0.5774L0,1.1547Z"
    layers: list[Chart] = [
        {
            "data": {"values": rounded(cells, 5)},
            "mark": {"type": "point", "filled": True, "size": (1.06 * side) ** 2, "strokeWidth": 0, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "shape": {
                    "field": "up",
                    "type": "nominal",
                    "scale": {"domain": [True, False], "range": [up, down]},
                    "legend": None,
                },
                "color": {
                    "field": "value",
                    "type": "quantitative",
                    "scale": {"scheme": "viridis", "zero": False},
                    "legend": {"title": unit, "gradientLength": 200},
                },
                "tooltip": _tooltip(cells, ("design", "value")),
            },
        },
        {
            "data": {"values": [{"x": cell["x"], "y": cell["y"]} for cell in rounded(cells, 5) if cell["near"]]},
            "mark": {"type": "circle", "size": 3, "color": "white", "opacity": 0.95},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": {"values": rounded(designs, 5)},
            "mark": {"type": "point", "size": 26, "stroke": "black", "strokeWidth": 0.9, "filled": False, "opacity": 1},
            "encoding": {"x": x, "y": y, "tooltip": _tooltip(designs, ("design", "value", "stderr"))},
        },
        {
            "data": {"values": rounded([best])},
            "mark": {
                "type": "point",
                "shape": "diamond",
                "filled": True,
                "size": 190,
                "color": OTHER,
                "stroke": "white",
                "strokeWidth": 1.5,
                "opacity": 1,
            },
            "encoding": {"x": x, "y": y, "tooltip": _tooltip([best], ("design", "value", "low", "high"))},
        },
        {
            "data": {"values": rounded(corners)},
            "mark": {"type": "text", "fontSize": 12.5},
            "encoding": {"x": x, "y": y, "text": {"field": "name"}},
        },
    ]
    layers = [layer for layer in layers if layer["data"]["values"]]
    return _with_config({**FIXED, "width": 570, "height": 438, "layer": layers})


def moves(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """What is lost by moving a part of the purse from one rank to another: `from`, `to`, and `loss` as a part of the best.
    Ranks from which, or to which, nothing can be moved are left out."""
    most = max((abs(row["loss"]) for row in rows), default=1.0) or 1.0
    x, y = _ranks(rows, "to"), _ranks(rows, "from")
    x["axis"] = {"labelAngle": 0}
    scale = {"domain": [-most, 0, most], "range": ["#3f8f6b", "#e9e7df", "#d55e00"]}
    return {**_coloured(rows, x, y, {"scale": scale}, 38), **FIXED, "width": {"step": 110}}


def _ranks(rows: Sequence[Mapping[str, Any]], name: str) -> Chart:
    scale = {"domain": sorted({row[name] for row in rows})}
    return {"field": name, "type": "ordinal", "title": f"{name} rank", "scale": scale}


def _coloured(rows: Sequence[Mapping[str, Any]], x: Chart, y: Chart, colour: Chart, step: int) -> Chart:
    """A table of cells at x and y that are coloured by `loss` and say what is `told`; each `step` pixels high."""
    fill = {"field": "loss", "type": "quantitative", "legend": None, **colour}
    cell = {
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2},
        "encoding": {"x": x, "y": y, "color": fill, "tooltip": _tooltip(rows, (y["field"], x["field"], "told"))},
    }
    said = {"x": x, "y": y, "text": {"field": "told", "type": "nominal"}}
    words = {"mark": {"type": "text", "color": "#1b1b1b", "fontSize": 12}, "encoding": said}
    return _chart(rows, {"height": {"step": step}, "layer": [cell, words]})


def lines(
    rows: Sequence[Mapping[str, Any]],
    labels: tuple[str, str],
    kinds: Sequence[str],
    *,
    band: bool = False,
    title: str = "",
    height: int = 240,
    zero: bool = False,
    marks: Sequence[Mapping[str, Any]] = (),
    legend: bool = True,
    percent: bool = False,
    whole: bool = False,
) -> Chart:
    """Curves of several kinds: rows with `x`, `y`, `kind`, and with a band `low` and `high`; beside them, points `marks` of the
    same kinds.
    Without a legend the page has one; places may be parts of a whole, or whole numbers."""
    x: Chart = {"field": "x", "type": "quantitative", "title": labels[0], "scale": {"zero": False, "nice": False}}
    if percent:
        x["axis"] = {"format": "~%"}
    if whole:
        places = sorted({row["x"] for row in rows})
        x["axis"] = {"values": places, "format": "d", "labelOverlap": "greedy"}
    y = {"field": "y", "type": "quantitative", "title": labels[1], "scale": {"zero": zero}}
    colour = _kinds(kinds) if legend else {**_kinds(kinds), "legend": None}
    layers: list[Chart] = []
    if band:
        layers.append(
            {
                "mark": {"type": "area", "opacity": 0.18},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
            }
        )
    layers.append(
        {
            "mark": {"type": "line", "strokeWidth": 1.9, "point": len(rows) <= 60 and {"size": 30}},
            "encoding": {"x": x, "y": y, "color": colour, "tooltip": _tooltip(rows, ("kind", "x", "y"))},
        }
    )
    if marks:
        layers.append(
            {
                "data": {"values": rounded(marks)},
                "mark": {
                    "type": "point",
                    "shape": "diamond",
                    "filled": True,
                    "size": 90,
                    "opacity": 1,
                },
                "encoding": {"x": x, "y": y, "color": colour},
            }
        )
    return _chart(rows, {"height": height, "layer": layers, **({"title": title} if title else {})})


def bids(one: Told, top: float) -> Chart:
    """What bidders of each group bid under a design, beside theory."""
    by_value, several = one.by_value, len(one.groups) > 1
    labels = ("value", "bid") if by_value else ("bid", "share of bids up to it")
    learned = [row for k, group in enumerate(one.groups) for row in _rows(group.learned, _group(k))]
    exact = [row for k, group in enumerate(one.groups) if group.theory for row in _rows(group.theory, _group(k))]
    scale = {"domain": [0, top], "nice": False} if by_value else {"domain": [0, 1]}
    x = {"field": "x", "type": "quantitative", "title": labels[0], "scale": {"nice": False}}
    if not by_value:
        x["scale"] = {"domain": [0, top], "nice": False}
    y = {"field": "y", "type": "quantitative", "title": labels[1], "scale": scale}
    shape = {"interpolate": "monotone" if by_value else "step-after", "clip": True}
    colour = _kinds([_group(k) for k in range(len(one.groups))])
    colour = colour if several else {"value": LEARNED}
    layers: list[Chart] = []
    if by_value:
        layers.append(
            {
                "data": {"values": learned},
                "mark": {"type": "area", "opacity": 0.18, **shape},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
            }
        )
    layers.append(
        {
            "data": {"values": learned},
            "mark": {"type": "line", "strokeWidth": 2, **shape},
            "encoding": {"x": x, "y": y, "color": colour, "tooltip": _tooltip(learned, ("kind", "x", "y"))},
        }
    )
    if exact:
        layers.append(
            {
                "data": {"values": exact},
                "mark": {"type": "line", "strokeDash": THEORY_DASH, "strokeWidth": 1.5, "color": INK, **shape},
                "encoding": {"x": x, "y": y, "detail": {"field": "kind", "type": "nominal"}},
            }
        )
    return _with_config({"width": "container", "height": 230, "layer": layers})


def dots(rows: Sequence[Mapping[str, Any]], unit: str, kinds: Sequence[str], *, percent: bool = False) -> Chart:
    """What several kinds bring in many places, a row for each place: points with their standard errors beside theory.

    Args:
        rows: each with `name` (the place), `kind`, `value`, and if known `low`, `high` and `theory`.
        unit: what is measured.
        kinds: in their order.
        percent: whether these are parts.
    """
    x: Chart = {
        "field": "value",
        "type": "quantitative",
        "title": unit,
        "scale": {"zero": percent, "nice": True, "padding": 8},
    }
    x["axis"] = {"format": "~%" if percent else "~g", "orient": "top" if len(rows) > 24 else "bottom"}
    y: Chart = {"field": "name", "type": "nominal", "sort": None, "title": None}
    y["axis"] = {"labelLimit": 330, "ticks": False, "grid": True, "labelPadding": 10}
    at: dict[str, list[Any]] = {}
    for row in rows:
        at.setdefault(row["name"], []).append(row)
    # a place of its own for each point, in the order of the kinds that are there
    rows = [{**row, "beside": k - (len(found) - 1) / 2} for found in at.values() for k, row in enumerate(found)]
    most = max((len(found) for found in at.values()), default=1)
    scale = {"domain": [-most / 2, most / 2]}
    beside: Chart = {"yOffset": {"field": "beside", "type": "quantitative", "scale": scale}} if most > 1 else {}
    step = 10 + 12 * most
    layers: list[Chart] = []
    if any(row.get("theory") is not None for row in rows):
        layers.append(
            {
                "transform": [{"filter": {"field": "theory", "valid": True}}],
                "mark": {"type": "rect", "color": INK, "width": 2, "height": 0.8 * step},
                "encoding": {"x": {**x, "field": "theory"}, "y": y},
            }
        )
    if any(row.get("low") is not None for row in rows):
        layers.append(
            {
                "mark": {"type": "rule", "strokeWidth": 1.6},
                "encoding": {
                    "x": {**x, "field": "low"},
                    "x2": {"field": "high"},
                    "y": y,
                    **beside,
                    "color": _kinds(kinds),
                },
            }
        )
    tooltip = _tooltip(rows, ("name", "kind", "value", "low", "high", "theory"))
    layers.append(
        {
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                **beside,
                "color": _kinds(kinds),
                "shape": _also(_kinds(kinds), SHAPES),
                "tooltip": tooltip,
            },
        }
    )
    return _chart(rows, {"height": {"step": step, "for": "position"}, "layer": layers})


def laid_over(inside: Sequence[tuple[str, Told]], kinds: Sequence[str], top: float) -> Chart:
    """What each kind of learner bids by value under one design, over the equilibrium; the page has a legend for few kinds."""
    colour = _kinds(kinds)
    if len(kinds) <= len(KINDS):
        colour["legend"] = None
    several = max((len(one.groups) for _, one in inside), default=1) > 1

    def placed(line: Line, kind: str, group: int) -> list[dict[str, Any]]:
        return [{**row, "group": _group(group)} for row in _rows(line, kind)]

    learned = [
        row for kind, one in inside for g, group in enumerate(one.groups) for row in placed(group.learned, kind, g)
    ]
    exact = [
        row
        for g, group in enumerate(inside[0][1].groups)
        if group.theory
        for row in placed(group.theory, "equilibrium", g)
    ]
    x: Chart = {"field": "x", "type": "quantitative", "title": "value", "scale": {"nice": False, "zero": True}}
    y: Chart = {"field": "y", "type": "quantitative", "title": "bid", "scale": {"domain": [0, top], "nice": False}}
    apart: Chart = {"detail": {"field": "group", "type": "nominal"}}
    single = _single(learned)
    shape: Chart = {"clip": True, "point": {"size": 40, "filled": True}} if single else {"clip": True}
    also: Chart = {"shape": _also(colour, SHAPES)} if single else {"strokeDash": _also(colour, DASHES)}
    layers: list[Chart] = [
        {
            "data": {"values": learned},
            "mark": {"type": "line", "strokeWidth": 2, **shape},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                **also,
                **apart,
                "tooltip": _tooltip(learned, ("kind", *(("group",) if several else ()), "x", "y")),
            },
        }
    ]
    if exact:
        dashed = {"type": "line", "strokeDash": THEORY_DASH, "strokeWidth": 1.5, "color": INK, **shape}
        layers.append({"data": {"values": exact}, "mark": dashed, "encoding": {"x": x, "y": y, **apart}})
    if several:
        ends = [
            {"x": group.learned.x[-1], "y": group.learned.y[-1], "group": _group(g)}
            for g, group in enumerate(inside[0][1].groups)
            if group.learned.x
        ]
        words = {"type": "text", "align": "right", "dx": -2, "dy": -9, "fontSize": 11}
        said = {"x": x, "y": y, "text": {"field": "group", "type": "nominal"}}
        layers.append({"data": {"values": rounded(ends)}, "mark": words, "encoding": said})
    return _with_config({"width": "container", "height": 220, "layer": layers})


def _single(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether there is a kind of bidder with a single value, which no line shows."""
    counts = Counter((row["kind"], row["group"]) for row in rows)
    return bool(counts) and min(counts.values()) == 1


def history(rounds: Sequence[Sequence[float]], label: str) -> Chart:
    """Exploitability along each round."""
    rows = [
        {"x": (k + 1) / len(line), "y": gap, "round": r + 1}
        for r, line in enumerate(rounds)
        for k, gap in enumerate(line)
        if gap > 0
    ]
    return _chart(
        rows,
        {
            "height": 200,
            "mark": {"type": "line", "strokeWidth": 1.1, "opacity": 0.65, "color": LEARNED},
            "encoding": {
                "x": {
                    "field": "x",
                    "type": "quantitative",
                    "title": "part of the round",
                    "axis": {"format": ".0%"},
                    "scale": {"domain": [0, 1]},
                },
                "y": {"field": "y", "type": "quantitative", "title": label, "scale": {"type": "log"}, "axis": HISTORY},
                "detail": {"field": "round", "type": "nominal"},
                "tooltip": _tooltip(rows, ("round", "y")),
            },
        },
    )


def fit(points: Sequence[Mapping[str, Any]], labels: tuple[str, str]) -> Chart:
    """What the network says of designs that it has not seen, against what was simulated; on the line they are the same."""
    ends = [value for row in points for value in (row["value"], row["predicted"])]
    low, high = min(ends), max(ends)
    scale = {"zero": False, "nice": False, "domain": [low - 0.03 * (high - low), high + 0.03 * (high - low)]}
    return _with_config(
        {
            **FIXED,
            "width": 330,
            "height": 330,
            "layer": [
                {
                    "data": {"values": rounded([{"value": low, "predicted": low}, {"value": high, "predicted": high}])},
                    "mark": {"type": "line", "strokeDash": THEORY_DASH, "color": INK, "strokeWidth": 1},
                    "encoding": {
                        "x": {"field": "predicted", "type": "quantitative", "title": labels[0], "scale": scale},
                        "y": {"field": "value", "type": "quantitative", "title": labels[1], "scale": scale},
                    },
                },
                {
                    "data": {"values": rounded(points)},
                    "mark": {"type": "circle", "size": 36, "opacity": 0.6, "color": LEARNED},
                    "encoding": {
                        "x": {"field": "predicted", "type": "quantitative"},
                        "y": {"field": "value", "type": "quantitative"},
                        "tooltip": _tooltip(points, ("design", "predicted", "value")),
                    },
                },
            ],
        }
    )


def heat(rows: Sequence[Mapping[str, Any]], label: str, colour: str, columns: Sequence[str]) -> Chart:
    """A table whose cells are coloured by a loss: `row`, `column`, `loss` and `told`."""
    x: Chart = {"field": "column", "type": "nominal", "sort": list(columns), "title": label}
    x["axis"] = {"labelAngle": 0 if len(columns) <= 6 else -40, "orient": "top", "labelLimit": 160}
    y: Chart = {"field": "row", "type": "nominal", "sort": None, "title": None}
    y["axis"] = {"labelLimit": 340, "ticks": False, "labelPadding": 8}
    scale = {"range": ["#e9e7df", "#d55e00"], "domain": [0, max([0.01, *(float(row["loss"]) for row in rows)])]}
    return _coloured(rows, x, y, {"title": colour, "scale": scale}, 34)


def stacks(rows: Sequence[Mapping[str, Any]], labels: tuple[str, str], title: str) -> Chart:
    """Parts of a whole at each place: rows with `x`, `part` and `kind`, which are ordered."""
    return _chart(
        rows,
        {
            "height": 260,
            "title": title,
            "mark": {"type": "bar"},
            "encoding": {
                "x": {"field": "x", "type": "ordinal", "title": labels[0], "axis": {"labelAngle": 0}},
                "y": {"field": "part", "type": "quantitative", "title": labels[1], "axis": {"format": "%"}},
                "color": {
                    "field": "kind",
                    "type": "ordinal",
                    "scale": {"scheme": "viridis", "reverse": True},
                    "title": "rank",
                },
                "order": {"field": "kind"},
                "tooltip": _tooltip(rows, ("x", "kind", "part")),
            },
        },
    )


def grouped(rows: Sequence[Mapping[str, Any]], labels: tuple[str, str], colours: Mapping[str, int]) -> Chart:
    """Bars beside each other at whole places: rows with `x`, `y` (a part of a whole) and `kind`, whose colours are numbered."""
    x = {
        "field": "x",
        "type": "ordinal",
        "title": labels[0],
        "axis": {"labelAngle": 0},
        "scale": {"paddingInner": 0.25},
    }
    y = {"field": "y", "type": "quantitative", "title": labels[1], "axis": {"format": "~%"}}
    legend = {"orient": "top", "columns": 2, "labelLimit": 420} if len(colours) > 1 else None
    colour = {"field": "kind", "type": "nominal", "title": None, "scale": _numbered(colours), "legend": legend}
    beside = {"field": "kind", "type": "nominal", "sort": list(colours)}
    encoding = {"x": x, "xOffset": beside, "y": y, "color": colour, "tooltip": _tooltip(rows, ("kind", "x", "y"))}
    return _chart(rows, {"height": 240, "mark": {"type": "bar"}, "encoding": encoding})


def _numbered(colours: Mapping[str, int]) -> Chart:
    return {"domain": list(colours), "range": [KINDS[k % len(KINDS)] for k in colours.values()]}


def _group(number: int) -> str:
    return f"group {number + 1}"


def _rows(line: Line, kind: str) -> list[dict[str, Any]]:
    edges = {} if line.low is None or line.high is None else {"low": line.low, "high": line.high}
    return [
        rounded({"x": x, "y": y, "kind": kind, **{name: edge[k] for name, edge in edges.items()}})
        for k, (x, y) in enumerate(zip(line.x, line.y, strict=True))
    ]


def _kinds(kinds: Sequence[str]) -> Chart:
    colours = [KINDS[k % len(KINDS)] for k in range(len(kinds))]
    longest = max((len(kind) for kind in kinds), default=1)
    columns = max(1, min(4, LETTERS // (longest + 4)))
    legend = (
        {"orient": "top", "symbolOpacity": 1, "columns": columns, "labelLimit": 800 // columns}
        if len(kinds) > 1
        else None
    )
    scale: Chart = {"domain": list(kinds), "range": colours}
    if len(kinds) > len(KINDS):
        scale = {"domain": list(kinds), "scheme": {"name": "viridis", "extent": [0.1, 0.9]}}
    return {
        "field": "kind",
        "type": "nominal",
        "scale": scale,
        "title": None,
        "legend": legend,
    }


def _also(colour: Chart, signs: Sequence[Any]) -> Chart:
    """Something beside the colour that tells the same kinds apart."""
    kinds = colour["scale"]["domain"]
    return {**colour, "scale": {"domain": kinds, "range": [signs[k % len(signs)] for k in range(len(kinds))]}}


def _field(name: str) -> Chart:
    return {"field": name, "type": "quantitative"}


def _furthest(rows: Sequence[Mapping[str, Any]]) -> str:
    return "end" if any("end" in row for row in rows) else "value"


def _tooltip(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Chart]:
    there = [name for name in names if any(row.get(name) is not None for row in rows)]
    first = {name: next(row[name] for row in rows if row.get(name) is not None) for name in there}
    numbers = {name: isinstance(value, float) for name, value in first.items()}
    return [
        {"field": name, "type": "quantitative", "format": ".4~g"}
        if numbers[name]
        else {"field": name, "type": "nominal"}
        for name in there
    ]


def _chart(rows: Sequence[Mapping[str, Any]], more: Chart) -> Chart:
    return _with_config({"width": "container", "data": {"values": rounded(list(rows))}, **more})


def _with_config(chart: Chart) -> Chart:
    return {"config": CONFIG, "padding": PADDING, **chart}
