"""An estimate in words, as a table and as a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from allpay.contest.preferences import PowerCost
from allpay.contest.values import text_of
from allpay.estimate.advice import Advice
from allpay.estimate.values import EstimatedValues
from allpay.report.announced import share_lost
from allpay.report.style import colour_of, save
from allpay.scalars import numeral

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLD = (0.1, 0.25, 0.5, 0.75, 0.9)
"""The quantiles of values that are told in words."""

DRAWN = 4
"""The bids of so many kinds of contests are drawn, those with most bids."""

COUNTS = 0.0005
"""A smaller prize is not told."""

KEPT = (
    "This folder keeps how many contests and bids there were, quantiles of bids for each kind of contest, and the estimate; "
    "no single bid, contest or name."
)


def estimate_in_words(found: EstimatedValues) -> str:
    """What values are, how sure that is, how well it explains bids, and what to do with it."""
    assert isinstance(found.cost, PowerCost)
    power = found.cost.power
    cost = "a bid costs its own amount" if power == 1 else f"a bid b costs b^{numeral(power)}"
    purse = "the whole purse" if found.purse == 1 else f"the whole purse ({numeral(found.purse)} on average)"
    at = [found.levels.index(q) for q in TOLD]
    told = "; ".join(
        f"{q:.0%} of bidders below {found.values[k]:.3g} ({found.low[k]:.3g} to {found.high[k]:.3g})"
        for q, k in zip(TOLD, at, strict=True)
    )
    lines = [
        f"Found: half of the bidders work as if {purse} were worth more than {found.values[at[2]]:.3g} to them, "
        f"in units of what bids cost ({cost}). {found.contests:,} contests and {found.bids:,} bids tell this.",
        f"Values, with ranges that are to hold the truth in {found.confidence:.0%}: {told}."
        if found.draws
        else "How sure it is was not asked: give --resamples.",
        _family(found),
        _explained(found),
        "Assumed: bidders are alike but for their value, which each knows of itself alone; they bid as in equilibrium; and "
        "ranks are decided by bids, without luck.",
    ]
    if found.presence < 1:
        lines.insert(
            1, f"Of those registered, {found.presence:.1%} handed in a bid; the others count as absent by chance."
        )
    return "\n\n".join(lines)


def _family(found: EstimatedValues) -> str:
    text = text_of(found.distribution)
    shown = text if len(text) <= 60 else found.family
    if len(found.tried) == 1:
        return f"Distribution: {shown}, the family asked for."
    second = next(t for t in found.tried[1:])
    return (
        f"Distribution: {shown}. Of {len(found.tried)} families it foretells the bids of contests left out best: with a mean "
        f"squared error of {found.tried[0].held_out:.3f}, where chance alone leaves 1; next comes {second.family} with "
        f"{second.held_out:.3f}. Each resample chooses anew."
    )


def _explained(found: EstimatedValues) -> str:
    """Whether bids answer to prizes and rivals as the model says, where contests differ."""
    if len(found.kinds) == 1:
        return (
            "All contests have the same number of bidders and the same prizes. So these data cannot test whether bids answer "
            "to prizes as assumed; only contests that differ can."
        )
    kinds = f"There are {len(found.kinds)} kinds of contests, by bidders and prizes."
    tested = [(k, k.beyond, k.error) for k in found.kinds if k.beyond is not None and k.error]
    if not tested:
        return f"{kinds} Whether bids answer to prizes as assumed was not tested."
    kind, beyond, error = max(tested, key=lambda row: abs(row[1]) / row[2])
    where = f"with {kind.kind.bidders} bidders and prizes {_prizes(kind.kind.prizes)}"
    apart = f"bids are {abs(beyond):.1%} {'above' if beyond > 0 else 'below'} what the other kinds foretell"
    size = f"{abs(beyond) / error:.1f} standard errors; the largest of {len(tested)} kinds"
    far = abs(beyond) / error > _surprising(len(tested))
    verdict = (
        "Bids do not answer to prizes or rivals as assumed: trust the estimate for contests like these only."
        if far
        else "That is what chance brings: bids answer to prizes and rivals as assumed, as far as these data can tell."
    )
    return f"{kinds} Tested: {where}, {apart} ({size}). {verdict}"


def _surprising(tests: int) -> float:
    """So many standard errors the largest of several exceeds in 1 of 20 cases (Šidák 1967)."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + 0.5 * 0.95 ** (1 / tests))


def advice_in_words(advice: Advice, words: Sequence[str]) -> str:
    """How far the best design depends on the data.

    Args:
        advice: the best of each resample.
        words: what each number of a design is called.
    """
    draws = len(advice.best)
    told = [
        f"{name} {_range(low, high)}"
        for name, (low, high) in zip(words, advice.within(), strict=False)
        if high > COUNTS
    ]
    return (
        f"How sure the data make it: over 95% of {draws} resamples of your contests the best design has "
        f"{', '.join(told[:5])} of the purse. The design recommended loses at most {share_lost(advice.most_lost())} of the "
        f"best in 95% of them, and {share_lost(max(advice.loss))} in the worst. This is by theory, whose "
        "assumptions the data cannot vouch for."
    )


def _range(low: float, high: float) -> str:
    return f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"from {low:.1%} to {high:.1%}"


def study_section(found: EstimatedValues) -> str:
    """A section for a study file."""
    assert isinstance(found.cost, PowerCost)
    attendance = f"attendance = {found.presence!r}\n" if found.presence < 1 else ""
    return (
        f"# values as estimated from {found.contests:,} contests\n[game]\nbidders = {found.kinds[0].kind.bidders}\n"
        f'distribution = "{text_of(found.distribution)}"\ncost-power = {found.cost.power!r}\n{attendance}'
    )


def draw_estimate(found: EstimatedValues) -> "Figure":
    """Values by quantile with their band, and bids observed beside bids foretold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    q = np.array(found.levels)
    if found.draws:
        left.fill_between(
            q, found.low, found.high, color=colour_of(0), alpha=0.2, lw=0, label=f"{found.confidence:.0%} band"
        )
    left.plot(q, found.values, color=colour_of(0), label="estimate")
    left.set(
        xlabel="quantile of bidders", ylabel="value of the whole purse", title="(a) Values", xlim=(0, 1), ylim=(0, None)
    )
    left.legend(loc="upper left")
    for k, kind in enumerate(found.kinds[:DRAWN]):
        who = f"{kind.kind.bidders} bidders" + (f", prizes {_prizes(kind.kind.prizes)}" if _tables(found) > 1 else "")
        right.plot(q, kind.predicted, color=colour_of(k), label=who)
        right.plot(q, kind.observed, "o", ms=2.5, color=colour_of(k))
    right.set(xlabel="quantile of bids", ylabel="bid", title="(b) Bids: observed (dots), foretold (lines)", xlim=(0, 1))
    right.set_ylim(0, None)
    right.legend(loc="upper left")
    return figure


def _tables(found: EstimatedValues) -> int:
    return len({kind.kind.prizes for kind in found.kinds})


def _prizes(prizes: tuple[float, ...]) -> str:
    shown = ", ".join(numeral(round(p, 3)) for p in prizes[:3])
    return f"{shown}, …" if len(prizes) > 3 else shown


def write_estimate(found: EstimatedValues, folder: Path) -> list[str]:
    """Write what people read of an estimate into its folder; returns the names of the files."""
    from allpay.files import write
    from allpay.report.style import drawing

    text = f"{estimate_in_words(found)}\n\n{KEPT}\n"
    rows = "\n".join(
        ",".join(map(repr, row)) for row in zip(found.levels, found.values.tolist(), found.low, found.high, strict=True)
    )
    write(folder / "summary.txt", lambda file: file.write(text.encode()))
    write(folder / "values.csv", lambda file: file.write(f"quantile,value,low,high\n{rows}\n".encode()))
    write(folder / "study.toml", lambda file: file.write(study_section(found).encode()))
    with drawing():
        figure = draw_estimate(found)
        for name in ("figure.png", "figure.pdf"):
            save(figure, folder / name)
    return ["summary.txt", "values.csv", "study.toml", "figure.png", "figure.pdf"]
