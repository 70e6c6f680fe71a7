"""An estimate in words, as a table and as a figure."""

import json
from collections.abc import Sequence
from pathlib import Path
from re import sub
from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from allpay.contest.preferences import PowerCost
from allpay.contest.success import success
from allpay.contest.values import Curve, Distribution
from allpay.errors import shortened
from allpay.estimate.advice import Advice, LastYear
from allpay.estimate.families import constant, words_of
from allpay.estimate.luck import FoundLuck
from allpay.estimate.values import MISFIT, EstimatedGroups, EstimatedValues, Explained
from allpay.estimate.with_luck import BY_CONDITION
from allpay.estimate.worlds import Open
from allpay.report.announced import share_lost
from allpay.report.look import colour_of, save
from allpay.report.words import keep_table, plainly
from allpay.scalars import numeral

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = (0.1, 0.5, 0.9)
"""Those that are told of each of several estimates."""

TOLD = (0.1, 0.25, 0.5, 0.75, 0.9)
"""The quantiles of values that are told in words."""

SCENARIOS = 10
"""So many resamples are scenarios of the study file."""

DRAWN = 4
"""The bids of so many kinds of contests are drawn, those with most bids."""

ROWS = 8
"""So many groups are drawn."""

COUNTED = 0.02
"""If fewer than this part bid 0, it is not told."""

COUNTS = 0.0005
"""A smaller prize is not told."""

KEPT = (
    "This folder keeps how many contests and bids there were, quantiles of bids for each kind of contest, and the estimate; "
    "no single bid or contest, and no name but those of groups."
)


def estimate_in_words(found: EstimatedValues | EstimatedGroups, read: str = "") -> str:
    """What values are, how sure that is, how well it explains bids, what is known from what, and what to do with it.

    Args:
        found: the estimate.
        read: what was read; it stands behind what nobody may miss.
    """
    first = [*cautions(found), *doubts(found), *few(found), *range_in_words(found.open), *([read] if read else [])]
    point = "" if found.open is None else found.open.worlds[found.open.kept].text
    if isinstance(found, EstimatedValues):
        return "\n\n".join(
            [*first, *over_in_words(found.open), *power_in_words(found), *_values(found, point), *_known(found)]
        )
    told = first
    told += [] if len(found.parts) == 1 else [f"Contests have {_who(found)}{_how_many_have(found)}."]
    told += over_in_words(found.open)
    told += [] if found.luck is None else [luck_in_words(found.luck, found.parts[0].confidence)]
    told += power_in_words(found.parts[0])
    for part in found.parts:
        values, *more = _values(part, point)
        told += [f"Group {shortened(part.group, 40)}. {values}" if part.group else values, *more]
    return "\n\n".join([*told, *_known(found)])


def warnings_of(found: EstimatedValues | EstimatedGroups) -> list[str]:
    """What whoever takes values of an estimate has to know of them, in one line each."""
    said = [*cautions(found), *doubts(found), *reasons_to_doubt(found), *few(found)]
    return [*said, *([] if found.open is None else [_one_of(found.open)])]


def cautions(found: EstimatedValues | EstimatedGroups) -> list[str]:
    """That values are not to be used where they do not explain the bids, and what to try instead; else nothing."""
    parts = (found,) if isinstance(found, EstimatedValues) else found.parts
    far = [part for part in parts if not part.explains]
    if not far:
        return []
    if parts[0].power is not None:
        remedy = "Perhaps ranks need luck (--luck), or bidders do not play an equilibrium."
    else:
        assert isinstance(parts[0].cost, PowerCost)
        power = parts[0].cost.power
        tell = "--cost-power estimate" if any(len(p.kinds) > 1 for p in parts) else "a range, as --cost-power 1:3"
        remedy = (
            f"The cost of a bid b was taken to be b^{numeral(power, 4)}: give allpay estimate another, as --cost-power "
            f"{1 if power == 2 else 2}, or {tell}. Or "
            "ranks need luck (--luck), or bidders do not play an equilibrium."
        )
    worst = max(far, key=lambda part: part.misfit or 0.0)
    return [
        f"Do not use these values: no distribution of them explains the bids{_of(worst)}. "
        f"{off_in_words(worst, 'the nearest')} {remedy}"
    ]


def doubts(found: EstimatedValues | EstimatedGroups) -> list[str]:
    """That bids of one kind of contest are far from what the others, or known values, foretell, beyond `FAR`, where nothing
    worse is said."""
    worst = None if cautions(found) else _farthest(found)
    if worst is None or worst.off <= FAR:
        return []
    part = worst.part
    who = (
        "bids are not those of equilibrium at them"
        if part.told
        else "bids do not answer to prizes or rivals as assumed"
    )
    return [f"Doubt these values: {who}. {worst.sentence}.{_other_cost(part)}"]


def reasons_to_doubt(found: EstimatedValues | EstimatedGroups) -> list[str]:
    """The same where bids are off by less, but by more than chance in 1 of 20 cases; other prizes are answered by just that."""
    worst = None if cautions(found) else _farthest(found)
    if worst is None or worst.off > FAR or worst.off <= _surprising(worst.tests):
        return []
    return [
        f"A reason to doubt what follows for other prizes: {worst.sentence}. {_bound(worst.tests)}.{_other_cost(worst.part)}"
    ]


class _Farthest(NamedTuple):
    """The kind of contest whose bids are farthest from those foretold, of so many tested."""

    part: EstimatedValues
    kind: Explained
    beyond: float
    off: float
    tests: int

    @property
    def sentence(self) -> str:
        where = f"with {self.kind.kind.bidders} bidders and prizes {_prizes(self.kind.kind.prizes)}"
        side = "above" if self.beyond > 0 else "below"
        foretold = "those of equilibrium at these values" if self.part.told else "what the other contests foretell"
        return (
            f"Bids{_of(self.part)} {where} are {abs(self.beyond):.0%} {side} {foretold}, {self.off:.1f} standard errors"
        )


def _farthest(found: EstimatedValues | EstimatedGroups) -> _Farthest | None:
    parts = (found,) if isinstance(found, EstimatedValues) else found.parts
    tested = [(p, k, k.beyond, k.error) for p in parts for k in p.kinds if k.beyond is not None and k.error]
    if not tested:
        return None
    part, kind, beyond, error = max(tested, key=lambda row: abs(row[2]) / row[3])
    return _Farthest(part, kind, beyond, abs(beyond) / error, len(tested))


def _other_cost(part: EstimatedValues) -> str:
    return "" if part.power is not None else " Perhaps bids cost otherwise: try --cost-power estimate."


def few(found: EstimatedValues | EstimatedGroups) -> list[str]:
    """That ranges are too narrow, where there are fewer than `FEW` contests."""
    part = found if isinstance(found, EstimatedValues) else found.parts[0]
    if part.contests >= FEW or not part.draws:
        return []
    return [
        f"Too few contests: {part.contests} do not show how much contests differ, so the {part.confidence:.0%} ranges are "
        f"much too narrow; take {FEW} contests or more."
    ]


LONG = 10_000
"""Numbers from here on have their thousands marked."""

FEW = 5
"""Bands of 90 % from so many contests hold in some 87 % of cases; from 3 in 75 %, and from 2 in half of them."""

FAR = 4.0
"""A kind of contest is doubted at the top if its bids are so many standard errors off, which chance brings in one of
600 estimates with six kinds (Student's t with 39 degrees of freedom: contests are drawn anew 40 times)."""


def off_in_words(found: EstimatedValues, who: str = "it") -> str:
    """How far bids are from those foretold, and what chance would leave; nothing if it was not looked at."""
    if found.misfit is None or found.apart is None:
        return ""
    far = f"{found.apart:.1%} of" if found.apart < 1 else f"{found.apart:.2g} times"
    chance = f"more than {MISFIT:g} is beyond chance" if found.misfit > MISFIT else "this is within chance"
    if found.misfit > MISFIT and found.explains:
        chance = "this is beyond chance, but too little to matter"
    return (
        f"Quantile by quantile, bids are {far} the mean bid away from what {who} foretells: in the mean square "
        f"{found.misfit:.3g} times what chance leaves; {chance}."
    )


def range_in_words(found: Open | None) -> list[str]:
    """Between which values half of the bidders lie over a range that was given, in one sentence; it stands first."""
    if found is None:
        return []
    first, last = found.worlds[0], found.worlds[-1]
    told = []
    for g in range(len(first.values)):
        halves = [float(world.values[g].quantile(np.array(0.5))) for world in found.worlds]
        who = "half of the bidders" if len(first.values) == 1 else f"half of group {g + 1}"
        told.append(
            f"{who} work as if the whole purse were worth more than {plainly(min(halves))} to {plainly(max(halves))} to them "
            f"({plainly(halves[0])} with {first.text}, {plainly(halves[-1])} with {last.text})"
        )
    return [
        f"Found over a range of the {found.what}{_asked(found)}, which these data do not tell: {'; '.join(told)}, in units "
        "of what bids cost."
    ]


def _asked(found: Open) -> str:
    return "" if found.within is None else f", {found.within[0]:g}:{found.within[1]:g}"


def _one_of(found: Open) -> str:
    """That an answer is of one point of a range, and which split is safe over all of it."""
    most = max(0.0, *(world.loss for world in found.worlds))
    kept = found.worlds[found.kept].text
    return (
        f"the data do not tell the {found.what}, and this answer is for {kept} alone, one point of the range "
        f"{found.worlds[0].text} to {found.worlds[-1].text}; safe over all of it is the split {split_of(found.split)} "
        f"({found.bidders} bidders), which loses at most {share_lost(most)}."
    )


def _who(found: EstimatedGroups) -> str:
    each = [f"{n} of group {shortened(p.group, 40)}" for p, n in zip(found.parts, found.counts, strict=True) if n]
    return " and ".join(each)


def luck_in_words(found: FoundLuck, confidence: float) -> str:
    """How much luck there is, and what ranks say of it."""
    ranks = "no ranks say anything of it"
    if found.said is not None:
        within = found.band is None or found.band[0] <= found.number <= found.band[1]
        band = f" ({found.band[0]:.3g} to {found.band[1]:.3g} in {confidence:.0%})" if found.band else ""
        ranks = (
            f"the ranks of {found.orders:,} contests say {found.said:.3g}{band}: in {found.upsets:.0%} of neighbours by rank "
            f"the lower one had bid more{'' if within else '; that contradicts what was given'}"
        )
    if found.scores:
        ranks = "what the table has are scores, bids and luck together, which do not tell how much of them is luck"
    how = "as given" if found.given else "as ranks show"
    return f"Luck: ranks are decided by {success(found.text).words}, {how}; {ranks}."


def power_in_words(estimate: EstimatedValues) -> list[str]:
    """How fast the cost of bids rises, where contests told it."""
    found = estimate.power
    if found is None:
        return []
    band = f" ({found.band[0]:.3g} to {found.band[1]:.3g} in {estimate.confidence:.0%})" if found.band else ""
    end = ""
    if found.at_end:
        end = (
            f" That is an end of the range in which it was sought, {found.within[0]:g} to {found.within[1]:g}: bids ask for a "
            "power beyond it, or do not answer to prizes as assumed."
        )
    why = (
        "With this power bids are nearest to those of equilibrium at the values of the table."
        if estimate.told
        else f"With this power one distribution of values explains the bids of all {found.kinds} kinds of contests best. "
        "Values are in units of what bids cost, and so hang on it."
    )
    return [f"Cost of bids: a bid b costs b^{found.number:.3g}{band}. {why}{end}"]


def over_in_words(found: Open | None) -> list[str]:
    """What follows over the range of a number that data do not tell, as a table, and which split is safe over it."""
    if found is None:
        return []
    groups = len(found.worlds[0].values)
    names = [""] if groups == 1 else [f" of group {g + 1}" for g in range(groups)]
    head = [
        found.what,
        *(f"value at {q:.0%}{name}" for name in names for q in SHOWN),
        "best split",
        "the safe split loses",
    ]
    rows = [head]
    for world in found.worlds:
        values = [plainly(x) for v in world.values for x in v.quantile(np.array(SHOWN))]
        rows.append([world.text, *values, split_of(world.best), share_lost(world.loss)])
    keep_table(rows, f"What follows from a range of the {found.what}, which the data do not tell.")
    wide = [max(len(row[k]) for row in rows) for k in range(len(head))]
    table = "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows)
    how = "by theory" if found.method == "theory" else "bidders learn, and splits are tried in steps of a tenth"
    kept = found.worlds[found.kept].text
    most = max(world.loss for world in found.worlds)
    loses = "the best of all that were tried" if most <= 0 else f"which loses at most {share_lost(most)} of the best"
    return [
        f"Not told by these data: the {found.what}. For each of a range of it, this is what would follow for "
        f"{found.bidders} bidders ({how}):\n"
        f"{table}"
        + (
            f"\nWith {', '.join(found.excluded)} no distribution of values explains these bids, so these are left out."
            if found.excluded
            else ""
        ),
        f"Safe over the whole range: {split_of(found.split)}, {loses}, whichever is true. All that follows, and the folder's "
        f"estimate, are of {kept}, where it loses least.",
    ]


def split_of(weights: Sequence[float]) -> str:
    """A split in percent, `70% / 30%`."""
    return " / ".join(f"{numeral(round(100 * w, 1))}%" for w in weights if w > COUNTS) or "nothing"


def _how_many_have(found: EstimatedGroups) -> str:
    return "" if found.share == 1 else f" in {found.share:.0%} of cases, the most frequent"


def _values(found: EstimatedValues, point: str = "") -> list[str]:
    """The values of one group, in paragraphs; at one point of a range, if there is one."""
    assert isinstance(found.cost, PowerCost)
    power = found.cost.power if found.power is None else float(f"{found.cost.power:.3g}")
    cost = "a bid costs its own amount" if power == 1 else f"a bid b costs b^{numeral(power, 4)}"
    one = constant(found.distribution)
    purse = "the whole purse" if found.purse == 1 else f"the whole purse ({numeral(found.purse)} on average)"
    at = [found.levels.index(q) for q in TOLD]
    told = "; ".join(
        f"{q:.0%} of bidders below {plainly(found.values[k])} ({plainly(found.low[k])} to {plainly(found.high[k])})"
        for q, k in zip(TOLD, at, strict=True)
    )
    worth = (
        (
            f"half of the bidders value {purse} at more than {plainly(found.values[at[2]])}"
            if found.told
            else f"half of the bidders would bid {plainly(most_bid(found, at[2]))} or more if that made {purse} theirs for "
            f"sure: they work as if it were worth more than {plainly(found.values[at[2]])} to them"
        )
        if one is None
        else f"each bidder would bid up to {plainly(most_bid(found, at[2]))} if that made {purse} theirs for sure: they work "
        f"as if it were worth {plainly(one)} to each"
    )
    known = (
        f"Known: {worth}. {found.told:,} values of the table tell this, and no bid has a part in it; {found.bids:,} bids of "
        f"{found.contests:,} contests are held against it ({cost})."
    )
    keep_table(*_values_table(found))
    if len(found.tried) > 1:
        rows = [[one.family, f"{one.held_out:.4f}", str(one.parameters)] for one in found.tried]
        caption = f"Families of distributions{_of(found)} by how well they foretell bids of contests left out."
        head = ["family", "error left out", "numbers fitted"]
        keep_table([head, *rows], caption)
    lines = [
        known
        if found.told
        else f"{f'With {point}, one point of the range' if point else 'Found'}: {worth}, "
        f"in units of what bids cost ({cost}). {found.contests:,} contests and {found.bids:,} bids tell this.",
        f"Their value lies between {plainly(found.low[0])} and {plainly(found.high[0])} ({found.confidence:.0%} range)."
        if found.draws and one is not None
        else f"Values, each with its {found.confidence:.0%} range: {told}."
        if found.draws
        else "How sure it is was not asked: give --resamples.",
        _family(found),
        answers_in_words(found),
    ]
    if found.presence < 1:
        lines.insert(
            1, f"Of those registered, {found.presence:.1%} handed in a bid; the others count as absent by chance."
        )
    return lines


def most_bid(found: EstimatedValues, level: int) -> float:
    """What a bidder at one of the levels would bid at most, for the whole purse without a doubt."""
    return float(found.cost.bid(float(found.values[level])))


def _of(found: EstimatedValues) -> str:
    return f" of group {shortened(found.group, 40)}" if found.group else ""


def _values_table(found: EstimatedValues) -> tuple[list[list[str]], str]:
    """What the whole purse is worth to bidders, by the share of those to whom it is worth less."""
    cells = zip(found.levels, found.values.tolist(), found.low, found.high, strict=True)
    bands = bool(found.draws)
    rows = [[f"{q:.0%}", plainly(v, 4), *((plainly(a, 4), plainly(b, 4)) if bands else ())] for q, v, a, b in cells]
    head = ["share of bidders below", "value", *(("from", "to") if bands else ())]
    sure = f", with {found.confidence:.0%} ranges" if bands else ""
    caption = f"What the whole purse is worth to bidders{_of(found)}, in units of what bids cost{sure}; "
    return [head, *rows], f"{caption}{found.contests:,} contests, {found.bids:,} bids."


def identification(found: EstimatedValues | EstimatedGroups) -> dict[str, list[str]]:
    """What is known from what: what data tell, what is assumed, and what no data of this kind can tell."""
    parts = (found,) if isinstance(found, EstimatedValues) else found.parts
    of = "the values of bidders" if len(parts) == 1 else "the values of each group"
    known = any(part.told for part in parts)
    told = [f"{of}, from {'the column of values' if known else 'bids, prizes and the number of bidders'}"]
    if any(part.told and kind.beyond is not None for part in parts for kind in part.kinds):
        told.append("whether bids are those of equilibrium, from bids at known values")
    if any(part.presence < 1 for part in parts):
        told.append("the chance to turn up, from who handed in nothing")
    if not known and any(kind.beyond is not None for part in parts for kind in part.kinds):
        told.append("whether bids answer to prizes and rivals as assumed, from contests that differ")
    luck = found.luck if isinstance(found, EstimatedGroups) else None
    if luck is not None and not luck.given:
        told.insert(0, "how much luck there is, from ranks beside bids")
    same = "bidders are alike" if len(parts) == 1 else "bidders of a group are alike"
    group = "" if len(parts) == 1 else "; all know the group of each"
    lone = all(constant(part.distribution) is not None for part in parts)
    value = "" if lone else " but for their value, which each knows of itself alone"
    assert isinstance(parts[0].cost, PowerCost)
    cost, differ = (
        f"a bid b costs b^{numeral(parts[0].cost.power, 4)} (--cost-power)",
        any(len(p.kinds) > 1 for p in parts),
    )
    ranged = found.open if found.open is not None and found.open.what == "cost power" else None
    if ranged is not None:
        given = "a range" if ranged.within is None else f"the range {ranged.within[0]:g}:{ranged.within[1]:g}"
        cost = f"a bid b costs {ranged.worlds[ranged.kept].text}, one of {given} that you gave"
    if parts[0].power is not None:
        cost = "a bid costs a power of it"
        from_what = "bids at known values" if known else "contests that differ in prizes or bidders"
        told.append(f"the power of the cost of bids, from {from_what}")
    decided = "ranks are decided by bids, without luck (--luck)"
    if luck is not None:
        kind = luck.text.partition("(")[0]
        decided = f"luck is {luck.text}" if luck.given else f"luck is of the kind {kind}"
        decided += f", and what the table has are {'scores, after luck' if luck.scores else 'bids, before luck'}"
    unknown = [] if known else ["the unit in which values are told, other than what bids cost"]
    if luck is not None and luck.scores:
        unknown.append("how much of the scores is luck: with less of it bidders differ more in what they want")
    if luck is None:
        unknown.append(
            "luck, if the table has scores: a bid and luck make a score together, and scores alone do not tell which was which"
        )
    if parts[0].power is None and ranged is None and (differ or known):
        cost += "; these contests could tell the power: --cost-power estimate"
    if not differ and not known:
        unknown.append(
            "the power of the cost of bids: contests that are alike do not tell it, since another power explains the same bids "
            "by other values"
        )
        unknown.append("whether bids answer to prizes as assumed, since all contests have the same")
    if differ and not known and all(kind.beyond is None for part in parts for kind in part.kinds):
        unknown.append(f"whether bids answer to prizes as assumed{_untested(parts[0])}")
    unknown += [text for part in parts for text in (_unseen(part), _above_all(part)) if text]
    assumed = [f"{same}{value}{group}", "bidders bid as in equilibrium", decided, cost]
    return {"identified": told, "assumed": assumed, "not_identified": unknown}


def _unseen(part: EstimatedValues) -> str:
    """Of those who bid 0 no value is known."""
    if part.zeros < COUNTED or part.told:
        return ""
    who = f" of group {shortened(part.group, 40)}" if part.group else ""
    most = float(part.distribution.quantile(np.array(part.zeros)))
    return f"the values of the {part.zeros:.0%}{who} who bid 0, but that they are at most {plainly(most)}"


def _above_all(part: EstimatedValues) -> str:
    """Of those who are recorded with the highest bid, as where bids are recorded in steps, no value is known either."""
    if part.highest < COUNTED or part.told or constant(part.distribution) is not None:
        return ""
    who = f" of group {shortened(part.group, 40)}" if part.group else ""
    least = float(part.distribution.quantile(np.array(1 - part.highest)))
    return (
        f"the values of the {part.highest:.0%}{who} who are recorded with the highest bid, but that they are at least some "
        f"{plainly(least)}: how much higher they go is guessed from those of the others"
    )


def _known(found: EstimatedValues | EstimatedGroups) -> list[str]:
    known = identification(found)
    return [
        f"Identified: {'; '.join(known['identified'])}.",
        f"Assumed: {'; '.join(known['assumed'])}.",
        f"Not identified: {'; '.join(known['not_identified'])}.",
    ]


def told_as(distribution: Distribution) -> str:
    """A distribution as people read it: its numbers to four digits, `beta(2.043,3.1)`."""
    return sub(r"\d+\.\d+(e-?\d+)?", lambda number: f"{float(number[0]):.4g}", words_of(distribution))


def _family(found: EstimatedValues) -> str:
    text = told_as(found.distribution)
    bare = (
        isinstance(found.distribution, Curve) and constant(found.distribution) is None
    )  # coefficients tell people nothing
    shown = found.family if bare or len(text) > 60 else text
    if found.family == BY_CONDITION:
        return (
            f"Distribution: {text if constant(found.distribution) is not None else 'a curve'}, of the "
            "values that make each bid a best response; no family is assumed."
        )
    if found.told:
        return "Distribution: a curve through the values of the table; no family is assumed."
    if len(found.tried) == 1:
        return f"Distribution: {shown}, the family asked for. {off_in_words(found)}".rstrip()
    second = next(t for t in found.tried[1:])
    return (
        f"Distribution: {shown}. Of {len(found.tried)} families of distributions it foretells best what was bid in contests "
        f"left out, with an error of {found.tried[0].held_out:.3g} before {second.family} with {second.held_out:.3g}. "
        f"{off_in_words(found)}"
    ).rstrip()


def answers_in_words(found: EstimatedValues) -> str:
    """Whether bids answer to prizes and rivals as the model says, where contests differ."""
    if found.told:
        return _answers_at_known(found)
    if len(found.kinds) == 1:
        return (
            "All contests have the same number of bidders and the same prizes. So these data cannot test whether bids answer "
            "to prizes as assumed; only contests that differ can."
        )
    kinds = f"There are {len(found.kinds)} kinds of contests, by bidders and prizes."
    tested = [(k, k.beyond, k.error) for k in found.kinds if k.beyond is not None and k.error]
    if not tested:
        return f"{kinds} Whether bids answer to prizes as assumed was not tested{_untested(found)}."
    kind, beyond, error = max(tested, key=lambda row: abs(row[1]) / row[2])
    where = f"with {kind.kind.bidders} bidders and prizes {_prizes(kind.kind.prizes)}"
    apart = f"bids are {abs(beyond):.1%} {'above' if beyond > 0 else 'below'} what the other kinds foretell"
    size = f"{abs(beyond) / error:.1f} standard errors; of the {len(tested)} kinds it is the furthest off"
    verdict = _verdict(
        abs(beyond) / error,
        len(tested),
        ("bids answer to prizes and rivals as assumed", "Bids do not answer to prizes or rivals as assumed"),
        "Trust the estimate for contests like these only.",
    )
    return f"{kinds} Tested: {where}, {apart} ({size}). {verdict}"


def _answers_at_known(found: EstimatedValues) -> str:
    """Whether bids are those of equilibrium at the values that are known."""
    tested = [(k, k.beyond, k.error) for k in found.kinds if k.beyond is not None and k.error]
    if not tested:
        why = (
            "one kind of contest tells the power of cost, and so cannot test it"
            if found.power
            else "--resamples was too low"
        )
        return f"Whether bids are those of equilibrium at these values was not tested: {why}."
    kind, beyond, error = max(tested, key=lambda row: abs(row[1]) / row[2])
    most = f"; of the {len(tested)} kinds it is the furthest off" if len(tested) > 1 else ""
    verdict = _verdict(
        abs(beyond) / error,
        len(tested),
        ("bids are those of equilibrium at these values", "Bids are not those of equilibrium at these values"),
        "People may bid otherwise, or bids cost otherwise (--cost-power). allpay fit holds models of how people bid "
        "against them.",
    )
    return (
        f"Tested: with {kind.kind.bidders} bidders and prizes {_prizes(kind.kind.prizes)}, the mean bid is {abs(beyond):.1%} "
        f"{'above' if beyond > 0 else 'below'} that of equilibrium at these values ({abs(beyond) / error:.1f} standard errors"
        f"{most}). {verdict}"
    )


def _verdict(off: float, tests: int, words: tuple[str, str], then: str) -> str:
    """What so many standard errors say of a model, in its `words` if it holds and if it does not."""
    if off <= _surprising(tests):
        return f"{_bound(tests)}, and this is less: these data give no reason to doubt that {words[0]}."
    if off <= FAR:
        return f"{_bound(tests)}, and this is more: a reason to doubt that {words[0]}. {then}"
    return f"{words[1]}: chance alone hardly ever leaves so much. {then}"


def _untested(found: EstimatedValues) -> str:
    """Why contests that differ were not held against each other."""
    if found.power is not None and len(found.kinds) == 2:
        return ": two kinds tell the power of cost, and so cannot test it"
    return "" if found.draws else ": --resamples is 0"


def _surprising(tests: int) -> float:
    """So many standard errors the largest of several exceeds in 1 of 20 cases (Šidák 1967)."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + 0.5 * 0.95 ** (1 / tests))


def _bound(tests: int) -> str:
    which = "it" if tests == 1 else "the kind furthest off"
    return f"By chance alone {which} is more than {_surprising(tests):.1f} standard errors off in 1 of 20 cases"


def advice_in_words(advice: Advice, words: Sequence[str]) -> str:
    """How far the best design depends on the data.

    Args:
        advice: the best of each resample.
        words: what each number of a design is called.
    """
    draws = len(advice.best)
    none = f" In {advice.without} more resamples theory has no formula." if advice.without else ""
    if not draws:
        return (
            f"How sure the data make it: in all {advice.flat} resamples of your contests theory tells no design from another; "
            f"all bring the same.{none}"
        )
    none += f" In {advice.flat} more all designs bring the same." if advice.flat else ""
    told = [
        f"{name} {_range(low, high)}"
        for name, (low, high) in zip(words, advice.within(), strict=False)
        if high > COUNTS
    ]
    return (
        f"How sure the data make it: over 95% of {draws} resamples of your contests the best design has "
        f"{', '.join(told[:5])} of the purse. The design recommended {_losing(advice)}. "
        f"This is by theory, whose assumptions the data cannot vouch for.{none}"
    )


def _losing(advice: Advice) -> str:
    usual, worst = share_lost(advice.most_lost()), share_lost(max(advice.loss))
    if usual == worst == share_lost(0.0):
        return "is the best in all of them, or as good"
    return f"loses at most {usual} of the best in 95% of them, and {worst} in the worst"


def last_year_in_words(told: Sequence[LastYear] | None, bidders: int) -> str:
    """What a design would have brought last year, beside what was seen."""
    if told is None:
        return (
            "What would have happened last year cannot be told: theory has no formula for these bidders with the prizes that "
            "there were, or with this design."
        )
    if not told:
        return f"What would have happened last year: no past contest of the data had {bidders} bidders."
    lines = []
    for kind in told:
        where = f"{kind.contests:,} contests with {kind.bidders} bidders and prizes {_prizes(kind.prizes)}"
        each = []
        for k, name in enumerate(("total", "best entry")):
            (mean, error), old, new = kind.seen[k], kind.old[k], kind.new[k]
            seen = f"the {name} was {plainly(mean, 4)} ± {plainly(error, 2)} on average (theory: {plainly(old, 4)})"
            within = f" ({plainly(kind.within[k][0], 4)} to {plainly(kind.within[k][1], 4)})" if kind.within else ""
            by = f"{new / old - 1:+.1%}" if old > 0 else "more"
            change = f" ({kind.change[k][0]:+.1%} to {kind.change[k][1]:+.1%})" if kind.change else ""
            each.append(f"{seen}; with this design theory expects {plainly(new, 4)}{within}, {by}{change}")
        lines.append(f"in {where}, {'. And '.join(each)}.")
    ranges = (
        " In brackets: the ranges of 95% of the resamples. The change compares both designs by theory, with the same purse."
        if told[0].within
        else ""
    )
    without = max(kind.without for kind in told)
    none = f" In {without} more resamples theory has no formula." if without else ""
    return f"What would have happened last year: {' '.join(lines)}{ranges}{none}"


def _range(low: float, high: float) -> str:
    return f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"from {low:.1%} to {high:.1%}"


def study_section(found: EstimatedValues | EstimatedGroups) -> str:
    """A study file for such bidders, with resamples as scenarios: `allpay run` finds the best design of each and for all."""
    parts = (found,) if isinstance(found, EstimatedValues) else found.parts
    power = parts[0].cost.power if isinstance(parts[0].cost, PowerCost) else 1.0
    lines = [f"# values as estimated from {parts[0].contests:,} contests"]
    if warnings := warnings_of(found):
        lines += [f"warnings = {json.dumps(warnings)}", ""]
    lines += ["[study]"]
    drawn: dict[str, str] = {}
    if isinstance(found, EstimatedValues):
        lines += [f"bidders = {found.kinds[0].kind.bidders}", "", "[game]"]
        lines += [f'distribution = "{words_of(found.distribution)}"', f"cost_power = {power!r}"]
        lines += [f"attendance = {found.presence!r}"] if found.presence < 1 else []
        for k, draw in enumerate(found.draws):
            more = f"\nattendance = {found.presences[k]!r}" if found.presences else ""
            more += f"\ncost_power = {found.power.draws[k]!r}" if found.power is not None else ""
            drawn.setdefault(f'distribution = "{words_of(draw)}"{more}', f"resample {k + 1}")
    else:
        lines += [f"bidders = {sum(found.counts)}", ""]
        lines += [] if found.luck is None else ["[game]", f'luck = "{found.luck.text}"', ""]
        for part, count in zip(found.parts, found.counts, strict=True):
            if count:
                lines += ["[[bidders]]", f"count = {count}", f'values = "{words_of(part.distribution)}"']
                lines += [f"cost_power = {power!r}", *[f"presence = {part.presence!r}"] * (part.presence < 1), ""]
        for k in range(len(parts[0].draws)):
            texts = ", ".join(f'"{text}"' for text in group_texts(found, k))
            lucky = "" if found.luck is None else f'\nluck = "{found.luck.at(k)}"'
            drawn.setdefault(f"groups = [{texts}]{lucky}", f"resample {k + 1}")
    some, what = list(drawn.items())[:SCENARIOS], "resamples of the contests"
    if found.open is not None:
        some, what = list(_worlds(found, found.open).items()), f"what may be true of the {found.open.what}"
    if len(some) > 1:
        lines += [
            "",
            f"# {what}, each a world that may be the true one; leave them out for the estimate alone",
        ]
        lines += [f'[[scenario]]\nname = "{name}"\n{text}\n' for text, name in some]
    return "\n".join(lines) + "\n"


def _worlds(found: EstimatedValues | EstimatedGroups, over: Open) -> dict[str, str]:
    """Each number of a range as a scenario of a study file: what it changes, and its name."""
    if isinstance(found, EstimatedValues):
        return {f'distribution = "{words_of(w.values[0])}"\ncost_power = {w.power!r}': w.text for w in over.worlds}
    told = {}
    for world in over.worlds:
        each = zip(found.parts, found.counts, world.values, strict=True)
        texts = ", ".join(f'"{_group(n, values, world.power, part.presence)}"' for part, n, values in each if n)
        told[f"groups = [{texts}]" + (f'\nluck = "{world.luck}"' if world.luck else "")] = world.text
    return told


def draw_estimate(found: EstimatedValues | EstimatedGroups) -> "Figure":
    """Values by quantile with their band, and bids observed beside bids foretold; a row for each group."""
    from matplotlib.figure import Figure

    parts = (found,) if isinstance(found, EstimatedValues) else found.parts[:ROWS]
    figure = Figure(figsize=(7.0, 2.8 * len(parts)), layout="constrained")
    axes = figure.subplots(len(parts), 2, squeeze=False)
    for row, (part, (left, right)) in enumerate(zip(parts, axes, strict=True)):
        values, bids = (f"({letter})" for letter in ascii_lowercase[2 * row : 2 * row + 2])
        who = f", group {shortened(part.group, 20)}" if part.group else ""
        q = np.array(part.levels)
        if part.draws:
            left.fill_between(
                q, part.low, part.high, color=colour_of(0), alpha=0.2, lw=0, label=f"{part.confidence:.0%} band"
            )
        left.plot(q, part.values, color=colour_of(0), label="estimate")
        left.set(
            xlabel="quantile of bidders", ylabel="value of the whole purse", title=f"{values} Values{who}", xlim=(0, 1)
        )
        left.set_ylim(0, None)
        left.legend(loc="best")
        for k, kind in enumerate(part.kinds[:DRAWN]):
            told = f", prizes {_prizes(kind.kind.prizes)}" if _tables(part) > 1 else ""
            who_bid = f"{kind.kind.bidders} bidders{told}"
            if kind.predicted:
                right.plot(q, kind.predicted, color=colour_of(k))
            right.plot(q, kind.observed, "o", ms=2.5, color=colour_of(k), label=who_bid)
        title = f"{bids} Bids{who}: observed (dots){', foretold (lines)' if part.kinds[0].predicted else ''}"
        right.set(xlabel="quantile of bids", ylabel="bid", title=title, xlim=(0, 1))
        right.set_ylim(0, None)
        for axes in (left, right):
            if axes.get_ylim()[1] >= LONG:
                axes.yaxis.set_major_formatter("{x:,.0f}")
        if len(part.kinds) > 1:
            right.legend(loc="best")
    if above := _beware(found):
        figure.suptitle(above, fontsize=8, color="0.35")
    return figure


def _beware(found: EstimatedValues | EstimatedGroups) -> str:
    """What nobody may miss who sees the figure alone."""
    if cautions(found):
        return "Do not use these values: they do not explain the bids."
    if found.open is None:
        return ""
    worlds = found.open.worlds
    return (
        f"The {found.open.what} is not known: this is for {worlds[found.open.kept].text}, one point of the range "
        f"{worlds[0].text} to {worlds[-1].text}."
    )


def _tables(found: EstimatedValues) -> int:
    return len({kind.kind.prizes for kind in found.kinds})


def _prizes(prizes: tuple[float, ...]) -> str:
    shown = ", ".join(numeral(round(p, 3)) for p in prizes[:3])
    return f"{shown}, …" if len(prizes) > 3 else shown


def group_texts(found: EstimatedGroups, draw: int | None = None) -> list[str]:
    """Its groups as options and study files have them, `2: beta(2,3), cost 2`: of the estimate, or of one resample."""
    texts = []
    for part, count in zip(found.parts, found.counts, strict=True):
        if not count:
            continue
        assert isinstance(part.cost, PowerCost)
        values = part.distribution if draw is None else part.draws[draw]
        presence = part.presence if draw is None or not part.presences else part.presences[draw]
        power = part.cost.power if draw is None or part.power is None else part.power.draws[draw]
        texts.append(_group(count, values, power, presence))
    return texts


def _group(count: int, values: Distribution, power: float, presence: float) -> str:
    absent = f", presence {presence!r}" if presence < 1 else ""
    return f"{count}: {words_of(values)}, cost {power!r}{absent}"


def write_estimate(found: EstimatedValues | EstimatedGroups, folder: Path) -> list[str]:
    """Write what people read of an estimate into its folder; returns the names of the files."""
    from allpay.files import write
    from allpay.report.look import drawing

    text = f"{estimate_in_words(found)}\n\n{KEPT}\n"
    if isinstance(found, EstimatedValues):
        table = ["quantile,value,low,high", *map(_row, _quantiles(found))]
    else:
        table = ["group,quantile,value,low,high"]
        for part in found.parts:
            name = '"' + part.group.replace('"', '""') + '"'
            table += [f"{name},{_row(row)}" for row in _quantiles(part)]
    names = ["summary.txt", "values.csv", "study.toml", "figure.png", "figure.pdf"]
    if found.open is not None:
        names.insert(2, "range.csv")
        rows = _over_rows(found.open)
        write(folder / "range.csv", lambda file: file.write(("\n".join(rows) + "\n").encode()))
    write(folder / "summary.txt", lambda file: file.write(text.encode()))
    write(folder / "values.csv", lambda file: file.write(("\n".join(table) + "\n").encode()))
    write(folder / "study.toml", lambda file: file.write(study_section(found).encode()))
    with drawing():
        figure = draw_estimate(found)
        for name in ("figure.png", "figure.pdf"):
            save(figure, folder / name)
    return names


def _over_rows(found: Open) -> list[str]:
    """The table of a range as CSV: a row for each of its numbers, quantiles of each group, the best split, the loss."""
    groups = range(1, len(found.worlds[0].values) + 1)
    best = [f"best_{k + 1}" for k in range(len(found.split))]
    safe = [f"safe_{k + 1}" for k in range(len(found.split))]
    rows = [",".join(["number", *(f"value_{g}_at_{q}" for g in groups for q in SHOWN), *best, *safe, "loss"])]
    for world in found.worlds:
        values = [float(x) for v in world.values for x in v.quantile(np.array(SHOWN))]
        rows.append(_row([world.number, *values, *world.best, *found.split, world.loss]))
    return rows


def _quantiles(found: EstimatedValues) -> list[tuple[float, ...]]:
    return list(zip(found.levels, found.values.tolist(), found.low, found.high, strict=True))


def _row(numbers: Sequence[float]) -> str:
    return ",".join(map(repr, numbers))
