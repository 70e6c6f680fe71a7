"""A prize table beside the best, winner-take-all and equal prizes: in words for an organiser, as tables, and as a figure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from shlex import quote
from textwrap import fill as fill_lines
from typing import TYPE_CHECKING, Any

import numpy as np

from allpay.contest.amounts import runs_in_words
from allpay.contest.game import Array, Setting
from allpay.contest.preferences import PowerCost
from allpay.contest.values import Private
from allpay.judgement import Judgement, Quantity, Split
from allpay.outcome import Verdict
from allpay.report.look import TABLES, colour_of, dashes_of, draw
from allpay.report.summary import bidders_in_words, contest_in_words
from allpay.report.words import AS_WELL, aligned, significant
from allpay.scalars import numeral
from allpay.study.identity import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 100
"""Letters of a line of text."""

ALIKE = 5e-3
"""Tables that bring the same but for this part are said to be as good as each other."""

MANY = 8
"""Of a table with more different prizes than this, amounts are told to two digits."""

STEPS = (1, 2, 3, 5, 10, 20, 30, 50)
"""Ranks at which rows of a long table of prizes end, and these times powers of 10."""

LAST_ROW = 1.25
"""The last row begins no nearer to the last rank than this factor: one rank alone after fifty tells nothing."""

UNSEEN = 1e-4
"""Tables whose prizes differ by less of the purse are drawn as one."""

FEW = 12
"""Up to so many ranks each has its bars; of more, tables are steps on logarithmic axes."""

NO_PRIZE = 1e-6
"""A smaller part of the purse is told as no prize."""

MONEY_VALUES = 100.0
"""Values above this beside prizes in money are taken for money."""

_NAMES = {
    "revenue": ("total effort", "total effort"),
    "highest-bid": ("best entry", "the best entry"),
    "entrants": ("entrants", "the number of entrants"),
}


def judged_in_words(found: Judgement) -> str:
    """All that there is to say: a paragraph for whoever runs the contest, tables, and how it is known."""
    measures, prizes, kinds = _tables(found)
    parts = [
        fill(in_plain_words(found), WIDTH),
        "\n".join([aligned(measures.rows, measures.caption), *_notes(found)]),
        "\n".join([aligned(prizes.rows, prizes.caption), *_of_smooth(found)]),
        aligned(kinds.rows, kinds.caption) if kinds.rows else "",
        "\n".join(fill(line, WIDTH) for line in how_known(found)),
    ]
    return "\n\n".join(part for part in parts if part)


def fill(text: str, width: int) -> str:
    """A text in lines."""
    return fill_lines(text, width, break_on_hyphens=False)


# Sentences ------------------------------------------------------------------------------------------------------------


def in_plain_words(found: Judgement) -> str:
    """What an organiser wants to know, without a word of theory."""
    objective, yours = found.objective, found.yours
    name, who = label(objective), _who(found)
    own = yours.quantity(objective)
    first = {
        "total effort": f"the {who} together put in an effort of {_told(own)}, which costs them {_cost(found, yours)}",
    }.get(name, f"{_the(name)} of the {who} is {_told(own)}")
    table = found.amounts
    cells = runs_in_words([table.of(share) for share in table.shares])
    prizes = f"of {table.of(1.0)} in all" if table.unit == "money" else f"({cells})"
    sentences = [f"With your {_count(yours.prizes, 'prize')} {prizes}, {first}."]
    best, *others = found.splits[1:]
    others = [split for split in others if not _same(split, best) and not _same(split, yours)]
    sentences.append(_of_best(found, own, best))
    clauses = [
        f"{named(split)} would bring {_told(split.quantity(objective))}, {_compared(own, split.quantity(objective))}"
        for split in others
        if split.quantities
    ]
    if clauses:
        text = "; ".join(clauses)
        sentences.append(f"{text[0].upper()}{text[1:]}.")
    for text, shares, worth in found.most:
        if text in (objective, "entrants"):
            continue
        there = Split("", shares)
        seen = next((split for split in reversed(found.splits) if split.quantities and _same(split, there)), None)
        which = f"another table (--objective {quote(text)})" if seen is None else named(seen)
        mine, most = yours.quantity(text), Quantity((worth,)) if seen is None else seen.quantity(text)
        if _same(yours, there) or abs(worth - mine.mean) <= ALIKE * abs(worth):
            sentences.append(
                f"For {_the(label(text))}, {_told(mine)} with your table, no table{_among(found)} is {ALIKE:.1%} better."
            )
        else:
            gain = _compared(mine, most)
            among = _among(found) if found.method == "theory" else " of these tables"
            which = which.replace("the best table", "the table above")
            sentences.append(
                f"{_the(label(text)).capitalize()} is {_told(mine)}: {which}, which is best for it{among}, would bring "
                f"{_told(most)}, {gain}."
            )
    return " ".join(sentences)


def _of_best(found: Judgement, own: Quantity, best: Split) -> str:
    objective = found.objective
    if not best.quantities:
        return "No other table has a formula."
    theirs = best.quantity(objective)
    purse = f"the same {found.amounts.of(1.0)}" if found.amounts.unit == "money" else "the same purse"
    if abs(theirs.mean - own.mean) <= max(ALIKE * abs(theirs.mean), own.half_width + theirs.half_width):
        if found.method == "theory":
            return f"No split of {purse}{_among(found)} brings {ALIKE:.1%} more: your table is as good as the best."
        return (
            f"The best split of {purse} that was found brings {_told(theirs)}, which cannot be told apart from yours."
        )
    gain = _compared(own, theirs)
    which = "The best split" if found.method == "theory" else "The best split found"
    purse += _among(found)
    same = next((named(split) for split in found.splits[2:] if _same(split, best)), None)
    if same is not None:
        return f"{which} of {purse} is {same}: it would bring {_told(theirs)}, {gain}."
    return f"{which} of {purse} would bring {_told(theirs)}, which is {gain}."


def _among(found: Judgement) -> str:
    """Which tables the best is sought among, where not all are."""
    return f" with at most {_count(found.ranks, 'prize')}" if found.ranks < found.bidders - 1 else ""


def _same(one: Split, other: Split) -> bool:
    return bool(np.allclose(one.shares, other.shares, atol=1e-9))


def _cost(found: Judgement, split: Split) -> str:
    """What all bids cost, in the unit of the prizes, or that of values."""
    if found.past_purse is not None:
        return f"{significant(split.cost, 3)} times what a bid of 1 costs"
    if found.amounts.unit == "money":
        return _worth(found, split.cost)
    return f"{split.cost:.1%} of what the purse is worth at its face value"


def _in_money(found: Judgement) -> bool:
    """Whether values are taken to be in money."""
    return found.past_purse is None and found.amounts.unit == "money" and _highest(found.setting) > MONEY_VALUES


def _compared(own: Quantity, other: Quantity) -> str:
    """How much more or less another table brings than yours."""
    if own.mean <= 0:
        return "while yours brings nothing" if other.mean > 0 else "as yours"
    off = other.mean / own.mean - 1
    error = (own.half_width**2 + other.half_width**2) ** 0.5 / own.mean
    if abs(off) <= max(1e-6, error):
        return "which cannot be told apart from yours" if error > 0 else "the same as yours"
    size = f"{abs(off):.0%}" if abs(off) >= 0.095 else f"{abs(off):.2g}".rstrip("0") and f"{abs(off):.1%}"
    spread = f" (± {error:.1%})" if error >= 5e-4 else ""
    return f"{size}{spread} {'more' if off > 0 else 'less'}"


def how_known(found: Judgement) -> list[str]:
    """By what the numbers are known, what is assumed, and in which units they are."""
    lines = [f"{_capital(bidders_in_words(found.setting))}. {' '.join(contest_in_words(found.setting))}"]
    if found.method == "theory":
        lines.append(
            "By theory: the exact equilibrium, in which every bidder does what is best for it against the others; "
            f"percentages are of the most that any table of this purse{_among(found)} brings."
        )
    else:
        why = f" because there is no formula ({found.reason})" if found.reason else ""
        spread = ", ± half the 90% interval over rounds, which does not know the error of the grid of bids"
        lines.append(
            f"By learning{why}: {found.learner}, {_count(found.rounds, 'round')} for each table"
            f"{spread if found.rounds > 1 else ''}. "
            f"The best table was found by a network fitted to {found.samples} tables tried, and was learned afresh here. "
            "Percentages are of the most among these tables."
        )
        if (
            any(text == "entrants" for text, _ in found.yours.quantities)
            and not found.game(found.yours).mechanism.may_stay_out
        ):
            lines.append(
                "Entrants are those who bid above 0 on the grid of bids: whoever would bid less than half of its lowest step "
                "bids 0 there and is not counted. In equilibrium on continuous bids all bid something, and all are counted."
            )
        lines += _verdicts(found)
    return [*lines, *units(found)]


def _verdicts(found: Judgement) -> list[str]:
    lines = []
    for split in found.splits:
        wrong = sum(verdict != Verdict.CONVERGED.value for verdict in split.verdicts)
        if wrong:
            lines.append(
                f"{_capital(named(split))}: {wrong} of {len(split.verdicts)} rounds did not converge; read its numbers as what "
                "such bidders do, not as an equilibrium."
            )
    return lines or [f"All {sum(len(split.verdicts) for split in found.splits)} rounds converged."]


def units(found: Judgement) -> list[str]:
    """What a value of 1 and an effort of 1 are."""
    purse, setting = found.amounts.of(1.0), found.setting
    money = found.amounts.unit == "money"
    face = f"its face value, {purse}" if money else "its face value"
    costs = _costs(setting)
    if found.past_purse is not None:
        past = numeral(found.past_purse)
        yours = f"Yours, {purse}," if money else "Yours"
        lines = [
            f"A bidder's value is what the whole purse of the past contests ({past} on average) was worth to it, in units of "
            f"what a bid of 1 cost there, which need not be money. {yours} is taken to be worth as much."
        ]
        subject, worth = (
            "An effort is a bid as in the past contests, in their unit: one of 1 costs a bidder",
            "a value of 1",
        )
    elif _in_money(found):
        lines = [
            f"A bidder's value is what the whole purse is worth to it, taken to be in money: up to "
            f"{numeral(_highest(setting))}."
        ]
        subject, worth = "An effort of 1 costs a bidder", "1 of money"
    else:
        lines = [f"A bidder's value is what the whole purse is worth to it: 1 stands for {face}."]
        subject, worth = "An effort of 1 costs a bidder", purse if money else "the purse at its face value"
    if len(costs) != 1:
        return [
            *lines,
            "Efforts are in the unit of bids, whose costs differ between bidders or are functions of their own.",
        ]
    power, scale = costs[0]
    half = 0.5**power
    text = f"{subject} {'' if scale == 1 else f'{scale:g} times '}{worth}"
    if power != 1:
        part = found.amounts.of(half) if money and worth == purse and scale == 1 else f"{half:.3g} of that"
        text += f", and one of 0.5 costs {part} (the cost of b is b^{numeral(power, 4)})"
    else:
        text += (
            ", and one of 2 twice that; where it costs more than that (--cost-power 2), more prizes are often better"
        )
    return [*lines, f"{text}."]


def _costs(setting: Setting) -> list[tuple[float, float]]:
    """The powers and scales of bidders' costs, each once; empty if one is a function of its own."""
    if not isinstance(setting.values, tuple):
        return [(setting.cost_power, 1.0)]
    costs = [bidder.cost for bidder, _ in setting.values]
    found = [(cost.power, cost.scale) for cost in costs if isinstance(cost, PowerCost)]
    return list(dict.fromkeys(found)) if len(found) == len(costs) else []


def _highest(setting: Setting) -> float:
    if isinstance(setting.values, tuple):
        return max(bidder.values.highest for bidder, _ in setting.values)
    return float(setting.values.highest)


# Tables ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Table:
    """Rows of cells, the first of which is the head, and what they are."""

    caption: str
    rows: list[list[str]]


def _tables(found: Judgement) -> tuple[_Table, _Table, _Table]:
    """What each table brings, its prizes, and who does what, as cells: the same on a terminal and on a page."""
    return _measures(found), _prizes(found), _kinds(found)


def _measures(found: Judgement) -> _Table:
    """What each table brings, in its unit and in percent of the most."""
    rows = [["", *(_head(found, split) for split in found.splits)]]
    for text, _ in found.yours.quantities:
        cells = []
        for split in found.splits:
            if not split.quantities:
                cells.append("no formula")
                continue
            quantity = split.quantity(text)
            part = "" if quantity.part is None else f"  {quantity.part:>6.1%}"
            cells.append(f"{_told(quantity, _digits(text))}{part}")
        rows.append([label(text), *cells])
    if any(split.kinds for split in found.splits):
        unit = "" if found.past_purse is None else " (a bid of 1: 1)"
        rows.append(
            [f"what bids cost{unit}", *(_cost_cell(found, split) if split.kinds else "–" for split in found.splits)]
        )
    return _Table(f"What each prize table brings, and in percent of the most that any table brings. {_of(found)}", rows)


def _digits(objective: str) -> int:
    """To how many digits an objective is told."""
    return 3 if objective == "entrants" else 4


def _of(found: Judgement) -> str:
    """Of which contest a table is, for a caption."""
    return f"{found.bidders} bidders, {bidders_in_words(found.setting)}."


def _cost_cell(found: Judgement, split: Split) -> str:
    if found.past_purse is not None:
        return significant(split.cost, 4)
    return _worth(found, split.cost) if found.amounts.unit == "money" else f"{split.cost:.1%} of purse"


def _worth(found: Judgement, value: float) -> str:
    """An amount in units of value, in the money of the prizes."""
    return found.amounts.of(value / found.amounts.total if _in_money(found) else value)


def _notes(found: Judgement) -> list[str]:
    return [fill(f"{_capital(named(split))}: {split.reason}", WIDTH) for split in found.splits if split.reason]


def _prizes(found: Judgement) -> _Table:
    """What each rank wins, in the unit in which the table was given."""
    ends = rank_ends(found)
    rows = [["prizes: rank", *(_head(found, split) for split in found.splits)]]
    for first, last in pairwise([0, *ends]):
        name = f"{first + 1}" if last == first + 1 else f"{first + 1}–{last}"
        rows.append([name, *(_amount(found, split, first, last) for split in found.splits)])
    return _Table(f"What each rank wins under each prize table. {_of(found)}", rows)


def _of_smooth(found: Judgement) -> list[str]:
    """What is to be said of a best table of many different prizes."""
    if not _smooth(found, found.best):
        return []
    return [
        f"The best table pays {found.best.prizes} ranks, with prizes that fall little by little. Single amounts hardly "
        f"matter, so they are told\nto two digits; many tables near it {AS_WELL}."
    ]


def rank_ends(found: Judgement) -> list[int]:
    """The last ranks of the rows of a table of prizes, up to the last rank that wins anything."""
    most = max(sum(share > NO_PRIZE for share in split.shares) for split in found.splits)
    plain = [split for split in found.splits if not _smooth(found, split)]
    ends = {most}
    for split in plain:  # where what is told changes: two prizes that differ by rounding are one
        told = [_prize(found, split, k) for k in range(most)]
        ends |= {k for k in range(1, most) if told[k] != told[k - 1]}
    if len(plain) < len(found.splits):
        ends |= {step * 10**k for step in STEPS for k in range(5) if step * 10**k * LAST_ROW < most}
    return sorted(ends)


def _smooth(found: Judgement, split: Split) -> bool:
    """Whether a table has so many different prizes that they are not told one by one."""
    return len({found.amounts.of(x) for x in split.shares if x > NO_PRIZE}) > MANY


def _prize(found: Judgement, split: Split, rank: int) -> str:
    """What a rank wins, from 0 up: of a smooth table two digits of it."""
    share = split.shares[rank]
    if share <= NO_PRIZE:
        return "–"
    whole = found.amounts.total
    return found.amounts.of(float(f"{share * whole:.1e}") / whole if _smooth(found, split) else share)


def _amount(found: Judgement, split: Split, first: int, last: int) -> str:
    told = [_prize(found, split, k) for k in (first, last - 1)]
    if told[0] == "–":
        return "–"
    if told[1] == "–":
        return f"{told[0]} to 0"
    if told[0] == told[1]:
        return ("about " if _smooth(found, split) else "") + told[0] + (" each" if last - first > 1 else "")
    return f"{told[0]} to {told[1]}"


def _kinds(found: Judgement) -> _Table:
    """Who does and wins what under each table."""
    kinds = next((split.kinds for split in found.splits if split.kinds), ())
    if not kinds or not any(split.kinds for split in found.splits):
        return _Table("", [])
    rows = [["who does, and wins, what", *(_head(found, split) for split in found.splits)]]
    for k, kind in enumerate(kinds):
        efforts, wins = [], []
        for split in found.splits:
            own = split.kinds[k] if split.kinds else None
            efforts.append("–" if own is None else _tiny(own.effort))
            known = own is not None and np.isfinite(own.share)
            wins.append(_won(found, own.share) if known and own is not None else "–")
        many = f"{kind.bidders:.3g}"
        rows.append([f"{kind.name} ({many}): effort of each", *efforts])
        rows.append(["  win together", *wins])
    return _Table(f"Who does and wins what under each prize table. {_of(found)}", rows)


def _won(found: Judgement, share: float) -> str:
    if share < 5e-4:
        return "<0.1%"
    return f"{found.amounts.of(share)}, {share:.1%}" if found.amounts.unit == "money" else f"{share:.1%}"


def _tiny(x: float) -> str:
    return "<0.0001" if 0 < x < 1e-4 else _number(x, 3)


def _number(x: float, digits: int) -> str:
    """A number with so many digits; it may be money, so that thousands stand apart."""
    return f"{x:,.0f}" if 1e3 <= x < 1e15 else significant(x, digits)


def _head(found: Judgement, split: Split) -> str:
    if split.name == "best":
        return f"best for {label(found.objective)}"
    if split.name == "equal":
        return f"equal × {split.prizes}"
    return {"yours": "yours", "winner-take-all": "winner takes all"}[split.name]


def judged_values(found: Judgement) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "prizes": found.amounts.values(),
        "bidders": found.bidders,
        "setting": written(found.setting, "the setting"),
        "objective": found.objective,
        "method": found.method,
        "reason": found.reason,
        "splits": [_split_values(found, split) for split in found.splits],
        "most": {
            text: {"value": worth, "shares": _carrying(shares), "prizes": _in_unit(found, shares)}
            for text, shares, worth in found.most
        },
        "learner": found.learner,
        "samples": found.samples,
        "rounds": found.rounds,
        "seed": found.seed,
        "sentences": [in_plain_words(found), *how_known(found)],
        "tables": [asdict(table) for table in _tables(found) if table.rows],
        "curves": found.curves.tolist(),
        "seconds": found.seconds,
        "past_purse": found.past_purse,
    }


def _split_values(found: Judgement, split: Split) -> dict[str, Any]:
    return {
        "name": split.name,
        "shares": _carrying(split.shares),
        "prizes": _in_unit(found, split.shares),
        "quantities": {
            text: {
                "mean": quantity.mean,
                "half_width": quantity.half_width,
                "rounds": quantity.rounds,
                "part_of_most": quantity.part,
                "told": _told(quantity, _digits(text)),
            }
            for text, quantity in split.quantities
        },
        "kinds": [
            {
                **{name: getattr(kind, name) for name in ("name", "bidders", "effort", "cost", "share")},
                "wins": kind.share * found.amounts.total,
            }
            for kind in split.kinds
        ],
        "cost": split.cost,
        "reason": split.reason,
        "verdicts": split.verdicts,
    }


def _carrying(shares: Sequence[float]) -> list[float]:
    """Shares without the zeros at their end."""
    return list(shares[: int(np.max(np.flatnonzero(shares), initial=-1)) + 1])


def _in_unit(found: Judgement, shares: Sequence[float]) -> list[float]:
    return [share * found.amounts.total for share in _carrying(shares)]


# Words ----------------------------------------------------------------------------------------------------------------


def label(objective: str) -> str:
    """What an objective is called by an organiser."""
    if objective.startswith("top-") and objective[4:].isdecimal():
        return f"mean of the top {objective[4:]}"
    return _NAMES.get(objective, (objective,))[0]


def named(split: Split) -> str:
    """What a table is called in a sentence."""
    names = {"yours": "your table", "best": "the best table", "winner-take-all": "winner-take-all"}
    return names.get(split.name, f"equal prizes for the first {split.prizes}" if split.prizes > 1 else "one prize")


def _the(name: str) -> str:
    return name if name.startswith("the ") else f"the {name}"


def _who(found: Judgement) -> str:
    game = found.game(found.yours)
    expected = float(np.asarray(game.counts * game.turnout, float).sum())
    return (
        f"{found.bidders} entrants"
        if abs(expected - found.bidders) < 1e-9
        else f"{expected:.3g} entrants who turn up on average"
    )


def _told(quantity: Quantity, digits: int = 4) -> str:
    half = quantity.half_width
    last = 10.0 ** (np.floor(np.log10(abs(quantity.mean) or 1.0)) + 1 - digits)
    if half < last / 2:  # it shows in no digit
        text = _number(quantity.mean, digits)
        return text.rstrip("0").rstrip(".") if digits == 3 and "." in text else text
    decimals = max(0, min(6, 1 - int(np.floor(np.log10(half)))))
    return f"{quantity.mean:,.{decimals}f} ± {half:,.{decimals}f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# Figure ---------------------------------------------------------------------------------------------------------------

_MARKERS = ("o", "s", "^", "D")


def _look(split: Split) -> dict[str, Any]:
    """The colour and the marker of a table, the same in all figures and on the page."""
    number = TABLES.index(split.name)
    return {"color": colour_of(number), "marker": _MARKERS[number]}


def _drawn(found: Judgement) -> dict[str, list[Split]]:
    """The tables that differ, by name, each with those that are the same table: they are drawn once."""
    groups: dict[str, list[Split]] = {}
    for split in found.splits:
        first = next((name for name, group in groups.items() if _looks_same(group[0], split)), split.name)
        groups.setdefault(first, []).append(split)
    return groups


def _looks_same(one: Split, other: Split) -> bool:
    """Whether nobody could see that two tables differ."""
    return one.quantities != () and other.quantities != () and bool(np.allclose(one.shares, other.shares, atol=UNSEEN))


def draw_judged(found: Judgement, path: Path) -> Path:
    """Draw the tables, what they bring in percent of the most, and who does what.

    Args:
        found: what was judged.
        path: the file; its ending says which format.

    Raises:
        AllpayError: if the format is unknown or the file cannot be written.
    """
    return draw(path, lambda: _figure(found))


def _figure(found: Judgement) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    curves = bool(np.isfinite(found.curves).any())
    figure = Figure(figsize=(7.2, 2.75), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 1))
    figure.set_layout_engine("constrained", wspace=0.05, w_pad=0.06)
    _draw_prizes(panels[0], found)
    _draw_parts(panels[1], found)
    if curves:
        _draw_efforts(panels[2], found)
    else:
        _draw_winnings(panels[2], found)
    groups = list(_drawn(found).values())
    handles = [Line2D([], [], ls=dashes_of(k) if curves else "none", ms=4, **_look(g[0])) for k, g in enumerate(groups)]
    names = [" = ".join(_head(found, split) for split in group) for group in groups]
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    figure.suptitle(
        fill(f"{found.bidders} bidders, {bidders_in_words(found.setting)}; {_source(found)}", 120),
        fontsize=8,
        color="0.35",
    )
    return figure


def _source(found: Judgement) -> str:
    return "by theory" if found.method == "theory" else f"{found.learner}, {found.rounds} rounds, 90% intervals"


def _draw_prizes(ax: "Axes", found: Judgement) -> None:
    """What each rank wins: bars beside each other, or steps where there are many ranks."""
    most = max(split.prizes for split in found.splits)
    scale, unit = _axis_of(found)
    shown = most if most <= FEW else min(found.bidders, most + 1)  # steps go down to the first rank that wins nothing
    ranks = np.arange(1, shown + 1)
    groups = list(_drawn(found).values())
    if most <= FEW:
        width = 0.84 / len(groups)
        for k, group in enumerate(groups):
            at = ranks + width * (k - (len(groups) - 1) / 2)
            shares = np.array(group[0].shares[:shown]) * scale
            ax.bar(at[shares > 0], shares[shares > 0], width=0.9 * width, color=_look(group[0])["color"])
        ax.set(xlabel="rank", ylabel=f"prize ({unit})" if unit else "prize", title="What each rank wins")
        ax.set(xlim=(0.5, shown + 0.5), ylim=(0, 1.05 * scale))
    else:
        low = 0.7 * scale * min(min(x for x in split.shares if x > UNSEEN) for split in found.splits)
        for k, group in enumerate(groups):
            shares = np.array(group[0].shares[:shown]) * scale
            paid = shares[: int(np.flatnonzero(shares > 0)[-1]) + 1]
            steps = {"baseline": low, "color": _look(group[0])["color"], "linestyle": dashes_of(k), "lw": 1.4}
            ax.stairs(paid, np.arange(len(paid) + 1) + 0.5, **steps)
        ax.set(xscale="log", yscale="log", title="What each rank wins", xlabel="rank (logarithmic)")
        ax.set(ylabel=f"prize ({unit}, logarithmic)" if unit else "prize (logarithmic)")
        ax.set(xlim=(0.5, shown * 1.1), ylim=(low, 1.4 * scale))
    _plain_numbers(ax, shown)


def _plain_numbers(ax: "Axes", shown: int) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))
    steps = [step * 10**k for k in range(5) for step in (1, 2, 5)]
    ticks = [k for k in steps if k <= shown] if shown > FEW else list(range(1, shown + 1))
    ax.xaxis.set_major_locator(FixedLocator([float(k) for k in ticks]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def _axis_of(found: Judgement) -> tuple[float, str]:
    table = found.amounts
    if table.unit == "money":
        return table.total, table.currency
    return (100.0, "% of the purse") if table.unit == "percent" else (1.0, "part of the purse")


def _draw_parts(ax: "Axes", found: Judgement) -> None:
    """What each table brings, in percent of the most."""
    texts = [text for text, quantity in found.yours.quantities if quantity.part is not None]
    for row, text in enumerate(texts):
        ax.axhline(row, color="0.9", lw=0.6, zorder=0)
        for k, split in enumerate(group[0] for group in _drawn(found).values()):
            if not split.quantities:
                continue
            quantity = split.quantity(text)
            part, most = 100 * (quantity.part or 0.0), quantity.most or 1.0
            at = row + 0.12 * (k - 1.5)
            ax.errorbar(
                part,
                at,
                xerr=100 * quantity.half_width / most or None,
                ls="none",
                ms=4.5,
                elinewidth=0.8,
                **_look(split),
            )
    names = [f"{label(text)}\n(most: {_number(found.yours.quantity(text).most or 0.0, 3)})" for text in texts]
    ax.set_yticks(range(len(texts)), names)
    ax.set(xlabel="% of the most", title="What each table brings", ylim=(len(texts) - 0.5, -0.5))
    ax.set_xlim(left=0, right=max(104.0, ax.get_xlim()[1]))


def _draw_efforts(ax: "Axes", found: Judgement) -> None:
    """What bidders do, by strength."""
    q = 100 * np.linspace(0, 1, found.curves.shape[1])
    groups = _drawn(found)
    for k, (split, bids) in enumerate(zip(found.splits, found.curves, strict=True)):
        if np.isfinite(bids).any() and split.name in groups:
            ax.plot(q, bids, ms=3.2, markevery=(2 * k, 10), linestyle=dashes_of(k), **_look(split))
    ax.set(xlabel=_strength(found.setting), ylabel="effort", title="Who does what", xlim=(0, 101))
    ax.set_ylim(bottom=0)


def _strength(setting: Setting) -> str:
    return "% of bidders who are weaker" if isinstance(setting.values, Private) else "% of bids that are lower"


def _draw_winnings(ax: "Axes", found: Judgement) -> None:
    """Which part of the purse each kind of bidder wins."""
    splits = [group[0] for group in _drawn(found).values() if group[0].kinds]
    shares: Array = np.array([[kind.share for kind in split.kinds] for split in splits])
    for k, split in enumerate(splits):
        at = np.arange(shares.shape[1]) + 0.18 * (k - (len(splits) - 1) / 2)
        ax.bar(at, 100 * shares[k], width=0.16, color=_look(split)["color"])
    ax.set_xticks(range(shares.shape[1]), [f"{kind.name}\n({kind.bidders:.3g})" for kind in splits[0].kinds])
    ax.set(ylabel="% of the purse", title="Who wins what")
