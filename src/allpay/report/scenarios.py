"""Designs in several scenarios, in words and as a figure: who loses what if which world turns out to be true."""

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.contest.amounts import Amounts, runs_in_words
from allpay.objectives import objective
from allpay.optimum import beside_in_words, in_words
from allpay.report.look import colour_of, drawing, place, save
from allpay.report.summary import bidders_in_words, contest_in_words, who_in_words
from allpay.report.words import aligned, prizes_in_words, significant
from allpay.scenarios import GIVEN, Comparison
from allpay.simplex import SHOWN
from allpay.study.scenario import scenario_in_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTHING = 5e-5
"""A loss below this is none."""

WIDEST = 72
"""Names of scenarios that are longer, all together, are told below a table, and stand in it as numbers."""

MOST_TOLD = 9
"""Of so many scenarios, at most, a figure tells the numbers in its squares."""

MOST_MARKED = 27
"""Of so many it names each; of more, so many, evenly."""

DARK = 0.6
"""On a square this far along the colours, and further, numbers are white."""

MOST_WEIGHTS = 4
"""So many weights of a design stand beside a row of a figure."""

OWN = 3
"""Of so many given designs, at most, the answer tells the largest loss; the table has all."""


def comparison_in_words(found: Comparison, amounts: Amounts | None = None) -> str:
    """The answer, a table of what each design loses in each scenario, the designs, and how sure that is; designs as parts of 1,
    or in the unit in which one was given."""
    columns = [each.name for each in found.scenarios]
    numbers = [f"scenario {k}" for k in range(1, len(columns) + 1)]
    numbered = sum(map(len, columns)) > max(WIDEST, sum(map(len, numbers)))
    heads = numbers if numbered else columns
    rows = [["what each design loses if it is", *heads, "at most", "on average"]]
    rows.append([f"{best_there(found)} brings", *(significant(float(x), 5) for x in found.best), "", ""])
    kept, lost = different(found), found.losses
    for d, name in kept.items():
        ends = (_percent(float(lost[d].max())), _percent(float(found.mean_losses[d])))
        rows.append([f"{found.numbers[d]}  {name}", *_losses(found, d), *ends])
    unequal = len({each.weight for each in found.scenarios}) > 1
    if unequal:
        rows.append(["held as likely as", *(f"{x:.3g}" for x in found.chances), "", ""])
    told = [f"scenario {k}: {name}" for k, name in enumerate(columns, 1)] if numbered else []
    return "\n".join(
        [
            _answer(found, amounts),
            "",
            aligned(rows, f"What each design loses of the {objective(found.objective).words} in each scenario."),
            "",
            *([*told, ""] if told else []),
            "the designs:",
            *(f"{found.numbers[d]}  {named(found, d, amounts)}" for d in kept),
            "",
            *_scenarios(found),
            _method(found),
            _numerical(found),
            _model(found, unequal),
        ]
    )


def _scenarios(found: Comparison) -> list[str]:
    """What is played in each scenario, where names do not say it, and an empty line."""
    own = [each for each in found.scenarios if each.name != scenario_in_words(dict(each.changes))]
    if not own or len(found.scenarios) > MOST_TOLD:
        return []
    told = [
        f"{each.name}: {who_in_words(each.setting, each.bidders)}. {' '.join(contest_in_words(each.setting))}"
        for each in found.scenarios
    ]
    return ["the scenarios:", *told, ""]


def different(found: Comparison) -> dict[int, str]:
    """The designs that differ, and what they are: one that is the best of several scenarios is told once."""
    names: dict[int, list[str]] = {}
    for d, name in enumerate(found.names):
        names.setdefault(_shown_as(found, d), []).append("yours" if name == GIVEN else name)
    return {d: _together(told) for d, told in names.items()}


def best_there(found: Comparison) -> str:
    """What a design is held against, and of which designs that is the best where it could have more prizes."""
    limit = found.limit
    return (
        "the best there" if limit is None else f"the best there with at most {prizes_in_words(limit, found.space.rule)}"
    )


def named(found: Comparison, design: int, amounts: Amounts | None = None) -> str:
    """A design in words: its weights, or amounts, and what is chosen beside them."""
    weights = found.weights[design].tolist()
    if amounts is None:
        told = in_words(weights)
    else:
        carrying = max((k + 1 for k, w in enumerate(weights) if w > SHOWN), default=1)
        told = runs_in_words([amounts.of(w) for w in weights[:carrying]])
    return told + beside_in_words(found.chosen(design).items())


def _together(names: list[str]) -> str:
    """What a design is that is several things.

    >>> _together(["best for 40 bidders", "best on average"])
    'best for 40 bidders and on average'
    >>> _together(["best for a", "best for b", "best for c", "best on average"])
    'best for a, 2 other scenarios and on average'
    >>> _together(["yours", "best for a", "best for b", "best on average"])
    'yours, best for 2 scenarios and on average'
    """
    first, *others = names
    if others and not first.startswith("best "):
        worlds = sum(name.startswith("best for ") for name in others)
        if worlds > 1:
            others = [f"best for {worlds} scenarios", *others[worlds:]]
        return f"{first}, {_together(others)}"
    ends = [name.removeprefix("best ") for name in others if not name.startswith("best for ")]
    worlds = len(others) - len(ends)
    if len(others) > 1 and worlds:
        ends.insert(0, f"{worlds} other scenario{'s' if worlds > 1 else ''}")
    else:
        ends = [name.removeprefix("best ") for name in others]
    return first + "".join(f", {end}" for end in ends[:-1]) + (f" and {ends[-1]}" if ends else "")


def _answer(found: Comparison, amounts: Amounts | None) -> str:
    """What to do if it is not known which scenario is true."""
    what, count = objective(found.objective).words, len(found.scenarios)
    safest, lost = found.safest, found.losses
    worst = float(lost[safest].max())
    limit, number = found.limit, found.numbers
    among = "" if limit is None else f" with at most {prizes_in_words(limit, found.space.rule)}"
    text = f"Design {number[safest]}, {named(found, safest, amounts)}, is the safest: "
    if worst < NOTHING:
        best = f"of all designs{among} it is best" if among else "it is best"
        return text + f"{best} for the {what} in every one of the {count} scenarios."
    text += (
        f"whichever scenario is true, it loses at most {_percent(worst)} of the {what} that the best design there{among} "
        "brings."
    )
    given = [d for d, name in enumerate(found.names) if name == GIVEN]
    for d in given[:OWN]:
        at, which = int(lost[d].argmax()), "Yours" if len(given) == 1 else f"Design {number[d]}, yours,"
        text += f" {which} loses up to {_percent(float(lost[d].max()))} (with {found.scenarios[at].name})."
    return text


def _method(found: Comparison) -> str:
    """By which method the answer is, and of which designs."""
    text = f"Designs of at most {prizes_in_words(found.ranks, found.space.rule)} are compared"
    if found.study is None:
        return f"{text}, by theory ({bidders_in_words(found.setting)}, but for what scenarios change)."
    study = found.study
    rounds = f"{study.rounds} round{'s' if study.rounds > 1 else ''}"
    text += (
        f", by simulation: {study.learner.name}, {study.samples} designs × {rounds} in each scenario, the same in all; a "
        "network for each, ascended; and fresh rounds of the designs above."
    )
    known = np.isfinite(found.exact)
    if known.any():
        off = float(np.max(np.abs(found.exact - found.values)[known] / np.abs(found.exact[known])))
        where = "all" if known.all() else f"{int(known.sum())} of {known.size}"
        text += f" Theory has a formula for {where} of the values in the table; they are within {_percent(off)} of it."
    return text


def _numerical(found: Comparison) -> str:
    """How sure the numbers are of which the answer is made."""
    begin = "Numerical uncertainty (samples, rounds, grid):"
    if found.study is None:
        return f"{begin} none that shows, for all is by theory."
    if np.isnan(found.errors).any():
        return f"{begin} a single round says nothing of chance; take more rounds."
    text = f"{begin} each loss has its own, as ± (90%), at most {_percent(float(found.errors.max()))}."
    safest = _shown_as(found, found.safest)
    alike = [str(found.numbers[d]) for d in different(found) if d != safest and not _worse(found, d)]
    if alike:
        text += f" By the largest loss, design{'s' if len(alike) > 1 else ''} {_listed(alike)} cannot be told from the safest."
    return text


def _worse(found: Comparison, design: int) -> bool:
    """Whether a design's largest loss is known to be above the safest one's."""
    at, safest = int(found.losses[design].argmax()), found.safest
    there = int(found.losses[safest].argmax())
    apart = found.losses[design, at] - found.losses[safest, there]
    return bool(apart > np.hypot(found.errors[design, at], found.errors[safest, there]))


def _model(found: Comparison, unequal: bool) -> str:
    """What no number here can tell."""
    average = "each is as likely as its weight says" if unequal else "each is as likely as another"
    return (
        f"Model uncertainty: which of the {len(found.scenarios)} scenarios is true is not known, and the table says what that "
        f"can cost. On average, {average}."
    )


def draw_comparison(found: Comparison, *paths: Path, amounts: Amounts | None = None) -> tuple[Path, ...]:
    """Draw what each design loses in each scenario: a square for each, and beside them the largest loss and that on average.

    Args:
        found: what is drawn.
        paths: one or several files, of which each says its format.
        amounts: the purse, where designs are to be told as money.

    Raises:
        AllpayError: if a format is unknown or a file cannot be written.
    """
    places = tuple(place(path) for path in paths)
    with drawing():
        figure = _figure(found, amounts)
        for path in places:
            save(figure, path)
    return places


def _figure(found: Comparison, amounts: Amounts | None = None) -> "Figure":
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    kept = different(found)
    rows, worlds = list(kept), len(found.scenarios)
    lost, errors, safest = 100 * found.losses[rows], 100 * found.errors[rows], _shown_as(found, found.safest)
    told = worlds <= MOST_TOLD
    squares = max(0.78 * worlds, 1.9) if told else min(0.22 * worlds, 6.0)
    columns = [fill(each.name, 14 if told else 30) for each in found.scenarios]
    labels = [fill(f"{found.numbers[d]}  {kept[d]}", 42) + chr(10) + _in_short(found, d, amounts) for d in rows]
    tall = 0.12 * max(label.count(chr(10)) + 2 for label in labels)
    below = 0.12 * max(name.count(chr(10)) for name in columns) if told else 0.055 * max(map(len, columns))
    figure = Figure(figsize=(5.1 + squares, 1.25 + below + tall * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(squares, 2.1))
    top = max(float(lost.max()), 100 * NOTHING)
    norm, colours = PowerNorm(0.5, 0.0, top), colormaps["YlOrRd"]
    left.pcolormesh(np.arange(worlds + 1) - 0.5, np.arange(len(rows) + 1) - 0.5, lost, norm=norm, cmap=colours, lw=0)
    left.set(xticks=[], ylim=(len(rows) - 0.5, -0.5))
    if told:
        for (row, world), loss in np.ndenumerate(lost):
            dark = norm(loss) > DARK
            text = _cell(float(loss), float(errors[row, world]))
            left.text(world, row, text, ha="center", va="center", fontsize=6.5, color="white" if dark else "0.1")
        left.set_xticks(range(worlds), columns, fontsize=6.5)
    else:
        marked = np.unique(np.linspace(0, worlds - 1, min(worlds, MOST_MARKED)).astype(int))
        left.set_xticks(marked, [columns[k] for k in marked], rotation=90, fontsize=5.5)
    left.set_yticks(range(len(rows)), labels)
    for row, label in zip(rows, left.get_yticklabels(), strict=True):
        label.set(fontweight="bold" if row == safest else "normal", fontsize=6.5, linespacing=1.25)
    left.tick_params(length=0)
    left.spines[:].set_visible(False)
    left.set_title("Loss (%) by scenario")
    places = np.arange(len(rows))
    worst, average = lost.max(axis=1), 100 * found.mean_losses[rows]
    right.hlines(places, average, worst, color="0.75", lw=1.0, zorder=1)
    ends = errors[places, lost.argmax(axis=1)]
    if np.any(ends > 0):
        below = np.minimum(ends, worst)  # no design loses less than nothing
        right.errorbar(
            worst, places, xerr=(below, ends), fmt="none", ecolor=colour_of(1), elinewidth=0.8, capsize=2, zorder=2
        )
    right.scatter(worst, places, s=22, color=colour_of(1), label="at most", zorder=3)
    right.scatter(
        average, places, s=18, facecolor="white", edgecolor=colour_of(0), lw=1.1, label="on average", zorder=3
    )
    reach = worst + np.nan_to_num(ends)
    right.set_xlim(-0.03 * top, 1.06 * max(float(reach.max()), top))
    right.set(xlabel="loss (%)", title="Worst, and on average")
    right.tick_params(axis="y", length=0, labelleft=False)
    right.spines["left"].set_visible(False)
    right.grid(axis="x", color="0.92", lw=0.6)
    right.set_axisbelow(True)
    right.legend(loc="best", handletextpad=0.2)
    by = (
        "theory"
        if found.study is None
        else f"simulation, {found.study.learner.name}{'; ± 90%' if np.isfinite(found.errors).all() else ''}"
    )
    # what no scenario has is not told of all
    shared = any(each.setting.values == found.setting.values for each in found.scenarios)
    who = bidders_in_words(found.setting) if shared else "bidders as the scenarios say"
    what = objective(found.objective).words
    title = f"Regret in {what}, as a part of {best_there(found)}; {who}; by {by}"
    figure.suptitle(fill(title, int(14 * figure.get_figwidth())), fontsize=7, color="0.35")
    return figure


def _shown_as(found: Comparison, design: int) -> int:
    """The design that stands for one where those that do not differ are told once."""
    return found.numbers.index(found.numbers[design])


def _cell(loss: float, error: float) -> str:
    """A loss in percent, for a square."""
    text = "0" if loss < 100 * NOTHING else f"{loss:.2f}" if loss < 9.95 else f"{loss:.1f}"
    return text if not error > 0 else f"{text}{chr(10)}±{error:.2g}"


def _in_short(found: Comparison, design: int, amounts: Amounts | None) -> str:
    """The first few weights that carry something, of one alone the 0 after it too, or the amounts that they are; and what is
    chosen beside them."""
    weights = found.weights[design]
    carrying = [float(x) for x in weights if x >= 0.005]
    if amounts is None:
        told = [f"{x:.2g}" if x < 0.995 else f"{x:.3g}" for x in carrying]
        shown = told[:MOST_WEIGHTS] if len(told) > 1 else [*told, "0"]
        more = ", …" if len(weights) > len(shown) and len(told) != len(shown) else ""
        first = f"({', '.join(shown)}{more})"
    else:
        first = runs_in_words([amounts.of(x) for x in carrying[:MOST_WEIGHTS]])
        first += ", …" if len(carrying) > MOST_WEIGHTS else ""
    return first + beside_in_words((name, float(f"{x:.2g}")) for name, x in found.chosen(design).items())


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def comparison_values(found: Comparison, amounts: Amounts | None = None) -> dict[str, Any]:
    """All of it, for JSON, with the words of the table for each design."""
    values, kept = found.to_json(), different(found)
    for d, design in enumerate(values["designs"]):
        design["told"] = {
            "design": named(found, d, amounts),
            "what": kept[_shown_as(found, d)],
            "losses": _losses(found, d),
            "largest_loss": _percent(float(found.losses[d].max())),
            "mean_loss": _percent(float(found.mean_losses[d])),
        }
    return {**values, "answer": _answer(found, amounts), "best_there": best_there(found)}


def _losses(found: Comparison, design: int) -> list[str]:
    """What a design loses in each scenario, as cells."""
    return [_loss(float(x), float(e)) for x, e in zip(found.losses[design], found.errors[design], strict=True)]


def _loss(x: float, error: float) -> str:
    """A loss, and by how much it may be off where that is known and not 0."""
    return _percent(x) if not error > 0 else f"{_percent(x)} ±{100 * error:.2g}"


def _percent(x: float) -> str:
    return "–" if x < NOTHING else f"{x:.2%}" if x < 0.0995 else f"{x:.1%}"
