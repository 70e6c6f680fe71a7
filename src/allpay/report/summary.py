"""Summaries of studies in plain words: what was asked, what was found, how sure it is, and what theory says to it.

Plain text of at most 100 columns. Everything said is computed from a `Result`; nothing is simulated here.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import NormalDist
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from allpay.errors import AllpayError
from allpay.game import Array, Beta, Common, Discrete, Distribution, Power, Private, Setting, Uniform
from allpay.outcome import Verdict
from allpay.simplex import candidates, shown
from allpay.theory import equilibrium, why_no_equilibrium

if TYPE_CHECKING:  # the pipeline is slow to import, and nothing of it runs here
    from allpay.pipeline import Result

WIDTH = 100
"""Columns of a summary."""

AGREES = 2.0
"""Up to how many standard errors the check by fresh simulation is said to agree with the prediction."""

LOW_R2 = 0.3
"""The held-out r² below which the summary says what a low one means."""


def summarise(result: "Result") -> str:
    """What a study says, in short paragraphs.

    The order is that of a reader's questions: what was asked, the best design and which others are as good, whether fresh
    simulations and held-out designs confirm it, how far the runs are equilibria, and what theory says.
    """
    paragraphs = [_asked(result), _found(result), _checked(result), _fit(result), _learned(result), _theory(result)]
    return "\n\n".join(fill(text, WIDTH, break_on_hyphens=False, break_long_words=False) for text in paragraphs)


def summarise_all(results: "Sequence[Result]") -> str:
    """Several studies side by side: a table, and a headline for each.

    Raises:
        AllpayError: if there are none.
    """
    if not results:
        raise AllpayError("nothing to summarise: give at least one result")
    rows = [_HEADER, *(_row(result) for result in results)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
    table = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    lines = [fill(_headline(r), WIDTH, subsequent_indent="  ", break_on_hyphens=False) for r in results]
    return table + "\n\n" + "\n".join(lines)


# The setting ----------------------------------------------------------------------------------------------------------


def setting_of(result: "Result") -> Setting:
    """Who bid for what."""
    setting = result.sweep.study.setting
    assert setting is not None
    return setting


def without_limits(result: "Result", grid: bool = True) -> Setting:
    """The same setting with neither a cap on bids nor a ban on overbidding.

    Args:
        result: whose setting.
        grid: whether to keep the grids; without them, settings are equal that have the same equilibria.
    """
    setting = replace(setting_of(result), max_bid=None, overbidding=True)
    if grid:
        return setting
    values = setting.values
    return replace(setting, bid_levels=2, values=replace(values, levels=1) if isinstance(values, Private) else values)


def equilibrium_curves(result: "Result", designs: Array) -> tuple[Array, Array]:
    """The objective in the symmetric equilibrium of each design on continuous bids.

    Returns:
        `[designs]` of the game without limits on bids, and `[designs]` of the game within the limits that the learner had;
        NaN where there is no closed form.
    """
    study, own, free = result.sweep.study, setting_of(result), without_limits(result)

    def curve(setting: Setting) -> Array:
        found = [equilibrium(setting.game(study.space.mechanism(weights.tolist()))) for weights in designs]
        return np.array([math.nan if e is None else getattr(e, study.objective.replace("-", "_")) for e in found])

    within = curve(own)
    return within if own == free else curve(free), within


def setting_in_words(result: "Result") -> str:
    """The values, and the cost and risk attitude where they are not the plain ones."""
    setting = setting_of(result)
    if isinstance(setting.values, Common):
        words = "common values" if setting.values.value == 1 else f"a common value of {setting.values.value:g}"
    else:
        words = f"private values, {_distribution_in_words(setting.values.distribution)}"
    if setting.cost_power != 1:
        words += f", cost b^{setting.cost_power:g}"
    if setting.risk_aversion != 0:
        words += f", risk aversion {setting.risk_aversion:g}"
    return words


def _distribution_in_words(distribution: Distribution) -> str:
    match distribution:
        case Uniform(low, high):
            return f"uniform on [{low:g}, {high:g}]"
        case Power(exponent):
            return f"F(v) = v^{exponent:g}"
        case Beta(a, b):
            return f"Beta({a:g}, {b:g})"
        case Discrete(points):
            return f"{len(points)} from {points[0]:g} to {points[-1]:g}"
    return type(distribution).__name__


# Paragraphs -----------------------------------------------------------------------------------------------------------


def _asked(result: "Result") -> str:
    study = result.sweep.study
    setting = setting_of(result)
    names = ["w", "1−w"] if study.space.dimension == 2 else [f"w_{k + 1}" for k in range(study.space.dimension)]
    weights = ", ".join(names + ["0"] * (study.space.bidders - study.space.dimension))
    limits = _limits(setting)
    goal = "most revenue" if study.objective == "revenue" else f"greatest {_objective(result)}"
    return (
        f"Asked: under the rule {study.space.rule}, which weights ({weights}) bring the {goal}, if "
        f"{study.space.bidders} bidders ({setting_in_words(result)}) learn by {study.learner.name}? "
        f"{study.samples} designs × {_count(study.rounds, 'round')} on {setting.bid_levels} bids"
        + (f"; {limits}." if limits else ".")
    )


def _found(result: "Result") -> str:
    best, what = result.optimum, _objective(result)
    worth = f"predicted {what} {best.value:.4g}, {best.confidence:.0%} interval {best.low:.4g} to {best.high:.4g}"
    share = f"{best.fraction:.0%}" if best.fraction >= 0.005 or best.fraction == 0 else "under 1%"
    if best.flat:
        text = (
            f"Found: {what} is flat as far as these simulations can tell. {share} of all designs ({_ranges(result)}) cannot "
            f"be told apart, so none is better than another; the network is highest at {shown(best.weights)} by noise "
            f"or grid error ({worth})."
        )
    else:
        text = f"Found: the best design is {shown(best.weights)}, {worth}. "
        if all(high - low < 5e-4 for low, high in best.interval):
            text += "All other designs looked at can be told apart from it."
        else:
            text += f"{_capital(share)} of all designs, {_ranges(result)}, cannot be told apart from it."
    if result.resolution > 0:
        text += (
            f" By runs on a finer grid, differences in {what} below {result.resolution:.2g} are within the error of the "
            "grid; the set allows for that."
        )
        if result.sweep.verdicts[Verdict.CONVERGED] < len(result.sweep.table):
            text += " Part of this error comes from runs that did not converge."
    return text


def _checked(result: "Result") -> str:
    checked, best = result.checked, result.optimum
    rounds = _count(len(checked.rounds), "fresh round")
    text = f"Checked: {rounds} at the best design, with seeds not used before, gave {_estimate(result)}. "
    off = checked.mean - best.value
    # the prediction's standard error on the side where the check lies, by its interval
    bound = (best.high - best.value) if off > 0 else (best.value - best.low)
    error = math.hypot(bound / NormalDist().inv_cdf((1 + best.confidence) / 2), _finite(checked.stderr))
    side = "above" if off > 0 else "below"
    if abs(off) <= 1e-9 * max(abs(best.value), 1):
        return text + "That is the prediction."
    if error == 0:
        return (
            text + f"That is {_small(abs(off))} {side} the prediction; neither has a standard error to compare it with."
        )
    ratio = abs(off) / error
    text += f"That is {_small(abs(off))} {side} the prediction, {ratio:.1f} standard errors of the two together: "
    return text + ("they agree." if ratio <= AGREES else "they disagree. Trust the check, and sample more designs.")


def _fit(result: "Result") -> str:
    r2, rmse, what = result.surrogate.r2, result.surrogate.rmse, _objective(result)
    text = f"Fit: on held-out designs the network has r² = {r2:.3f} and a root mean square error of {rmse:.2g}."
    if result.optimum.flat:
        return text + (
            " Designs that hardly differ, as on a flat curve, leave little variance to explain, and r² may then be near 0 "
            "or below: the error is what counts."
        )
    if r2 >= LOW_R2:
        return text
    return text + (
        f" With so low an r² the network does not tell how {what} differs between designs: sample more designs or rounds."
    )


def _learned(result: "Result") -> str:
    counts = result.sweep.verdicts
    runs = sum(counts.values())
    what = _objective(result)
    check = [str(v) for v in result.check.verdicts.ravel()]
    settled = check.count(Verdict.CONVERGED)
    if counts[Verdict.CONVERGED] == runs:
        text = (
            f"Learning: all {runs} runs converged: every design's {what} can be read as an equilibrium's on the grid."
        )
    else:
        listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        text = f"Learning: of {runs} runs, {listed}. {_where(result)}"
        if counts[Verdict.CIRCLING]:
            text += f" Where bidders circle, {what} is what they pay on the way, not an equilibrium's."
        if counts[Verdict.STILL_LEARNING]:
            text += (
                " Still learning means that exploitability was falling when the run ended: more iterations may help."
            )
    if settled < len(check):
        text += f" At the best design, {settled} of {_count(len(check), 'fresh round')} converged."
    return text


def _where(result: "Result") -> str:
    """Which part of the curve is equilibrium and which is not."""
    study = result.sweep.study
    w = result.sweep.weights[:, 0]
    verdicts = result.sweep.values("verdict")
    order = np.argsort(w)
    w, verdicts = w[order], verdicts[order]
    unsettled = (verdicts != Verdict.CONVERGED).mean(axis=1)
    name = "w" if study.space.dimension == 2 else "w_1"
    if np.all(unsettled > 0.5):
        return "Under every design most runs did not converge: no part of the result is an equilibrium."
    if not np.any(unsettled > 0.5):
        low, high = w[unsettled > 0][[0, -1]]
        return f"Under every design most runs converged; the others lie at {name} from {low:.2f} to {high:.2f}."
    spans = _spans(w, unsettled > 0.5)
    doing = "circle" if _mode(verdicts[unsettled > 0.5]) == Verdict.CIRCLING else "are still learning"
    if len(spans) == 1 and spans[0][0] == w[0]:
        edge = float(w[w > spans[0][1]][0] + spans[0][1]) / 2
        return f"For {name} below {edge:.2f} bidders {doing} in most runs; above, most runs are equilibria on the grid."
    if len(spans) == 1 and spans[0][1] == w[-1]:
        edge = float(w[w < spans[0][0]][-1] + spans[0][0]) / 2
        return f"For {name} above {edge:.2f} bidders {doing} in most runs; below, most runs are equilibria on the grid."
    if len(spans) <= 3:
        listed = " and ".join(f"{a:.2f}" if a == b else f"{a:.2f} to {b:.2f}" for a, b in spans)
        return f"Bidders {doing} in most runs at {name} = {listed}; elsewhere most runs are equilibria on the grid."
    share = float(np.mean(unsettled > 0.5))
    return (
        f"Under {share:.0%} of the designs, between {name} = {spans[0][0]:.2f} and {spans[-1][1]:.2f}, bidders {doing} in "
        "most runs."
    )


def _theory(result: "Result") -> str:
    study, best, what = result.sweep.study, result.exact_best, _objective(result)
    setting = setting_of(result)
    sentences = []
    if best is None:
        reason = why_no_equilibrium(study.game(result.optimum.weights))
        sentences.append(
            f"Theory: no closed form to compare with, since {reason}." if reason else "Theory: no closed form."
        )
    elif best.flat:
        where = (
            "every design"
            if best.fraction == 1
            else f"every design that has a closed form ({best.fraction:.0%} of all)"
        )
        sentences.append(
            f"Theory: in equilibrium {what} is {best.value:.4g} under {where}, so no weights are best; whatever the "
            "simulations prefer is due to grids, limits on bids, or learning."
        )
    else:
        where = "" if best.fraction == 1 else f" of the {best.fraction:.0%} of designs that have an equilibrium"
        sentences.append(
            f"Theory: the best design{where} is {shown(best.weights)}, with an equilibrium {what} of {best.value:.4g}."
        )
    if result.exact is not None:
        text = f"At the best design found it is {result.exact:.4g}"
        if result.exact > 0:
            off = result.checked.mean / result.exact - 1
            side = "above" if off > 0 else "below"
            text += (
                "; the check is within 0.01% of that" if abs(off) < 1e-4 else f"; the check lies {abs(off):.2%} {side}"
            )
        sentences.append(text + ".")
    elif best is not None:
        sentences.append("The best design found has no closed form.")
    sentences.extend(_about_limits(result))
    if best is not None and not study.learner.continuous:
        levels = f"{setting.bid_levels} bids" + (
            f" and {setting.values.levels} values" if isinstance(setting.values, Private) else ""
        )
        sentences.append(
            f"Theory has continuous bids, these bidders {levels}: a gap to it is not due to learning alone."
        )
    if isinstance(setting.values, Common) and study.space.bidders > 2 and result.check.strategy.shape[2] > 1:
        sentences.append(
            "Bidders of equal value have asymmetric equilibria too, and these, who learn apart, may find one."
        )
    return " ".join(sentences)


def _about_limits(result: "Result") -> Iterable[str]:
    """Where the learner's limits on bids keep it from the equilibrium."""
    study, setting = result.sweep.study, setting_of(result)
    if without_limits(result) == setting:
        return
    designs = candidates(study.space.bidders, study.space.dimension, 101)
    free, own = equilibrium_curves(result, designs)
    beyond = np.isfinite(free) & ~np.isfinite(own)
    if not beyond.any():
        return
    if study.space.dimension > 2:
        where = f"under {beyond.mean():.0%} of the designs"
    elif beyond.all():
        where = "for every w"
    else:
        listed = (f"{a:.2f} to {b:.2f}" for a, b in _spans(designs[:, 0], beyond))
        where = "for w from " + " and from ".join(listed)
    # a cap can also raise what bidders pay in a contest (Che and Gale 1998), so that more is said of this case alone
    lowers = study.space.rule == "payments" and isinstance(setting.values, Private) and setting.cost_power == 1
    yield (
        f"Limits on bids matter ({_limits(setting)}): {where} the equilibrium without them has higher bids, so these bidders "
        f"cannot play it, {'and revenue is lower there' if lowers else f'and {_objective(result)} may differ'}."
    )


# The table ------------------------------------------------------------------------------------------------------------

_HEADER = ("rule", "learner", "best w", "interval", "predicted", "checked", "by theory", "converged")
"""w is the weight of the highest rank; its interval is of the designs that cannot be told apart from the best."""


def _row(result: "Result") -> tuple[str, ...]:
    best, theory, counts = result.optimum, result.exact_best, result.sweep.verdicts
    low, high = best.interval[0]
    if theory is None:
        by_theory = "none known"
    else:
        by_theory = f"{'any' if theory.flat else f'{theory.weights[0]:.3f}'}: {theory.value:.4g}"
    return (
        result.sweep.study.space.rule,
        result.sweep.study.learner.name,
        f"{best.weights[0]:.3f}",
        f"{low:.3f}–{high:.3f}",
        f"{best.value:.4g}",
        _estimate(result),
        by_theory,
        f"{counts[Verdict.CONVERGED] / sum(counts.values()):.0%}",
    )


def _headline(result: "Result") -> str:
    best, theory, what, study = result.optimum, result.exact_best, _objective(result), result.sweep.study
    text = f"{study.space.rule}, {study.learner.name}: "
    if best.flat:
        text += f"{what} is flat, near {best.value:.4g}; no weights are better than others"
    else:
        text += f"best at {_named(result, best.weights)}, {what} {best.value:.4g} ({best.low:.4g} to {best.high:.4g})"
    if theory is None:
        text += "; no closed form"
    elif theory.flat:
        text += f"; theory: {theory.value:.4g} for all weights" + (
            " that have an equilibrium" if theory.fraction < 1 else ""
        )
    else:
        text += f"; theory: best at {_named(result, theory.weights)}, {theory.value:.4g}"
    counts = result.sweep.verdicts
    unsettled = sum(counts.values()) - counts[Verdict.CONVERGED]
    return text + (f"; {unsettled} of {sum(counts.values())} runs did not converge." if unsettled else ".")


# Words ----------------------------------------------------------------------------------------------------------------


def _objective(result: "Result") -> str:
    return result.sweep.study.objective.replace("-", " ")


def _limits(setting: Setting) -> str:
    """The limits that bids were under; empty if none."""
    cap = "" if setting.max_bid is None else f"no bid above {setting.max_bid:g}"
    own = "" if setting.overbidding else "no bid above the bidder's own value"
    return ", ".join(filter(None, (cap, own)))


def _ranges(result: "Result") -> str:
    """The set that cannot be told from the best, rank by rank; of two weights the first says all."""
    best = result.optimum
    if best.ranks == 2:
        return "w from {:.3g} to {:.3g}".format(*best.interval[0])
    return ", ".join(f"w_{k} from {a:.3g} to {b:.3g}" for k, (a, b) in enumerate(best.interval[: best.ranks], 1))


def _estimate(result: "Result") -> str:
    checked = result.checked
    if not math.isfinite(checked.stderr):
        return f"{checked.mean:.4g}"
    digits = 4 if checked.stderr >= 1e-4 else 5
    error = f"{checked.stderr:.{digits}f}" if checked.stderr >= 5e-6 or checked.stderr == 0 else "<0.00001"
    return f"{checked.mean:.{digits}f} ± {error}"


def _small(x: float) -> str:
    """Two digits, without an exponent."""
    return f"{x:.{max(1, 1 - math.floor(math.log10(x)))}f}" if 1e-8 < x < 1 else f"{x:.2g}"


def _named(result: "Result", weights: Sequence[float]) -> str:
    """A design in a few words; of two weights the first says all."""
    return f"w = {weights[0]:.3g}" if result.optimum.ranks == 2 else shown(weights)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _spans(x: Array, kept: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """The first and last of each run of neighbours that are kept; `x` is sorted."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(int)))
    return [(float(x[a]), float(x[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _mode(verdicts: Array) -> str:
    """The most frequent verdict other than converged."""
    names, counts = np.unique(verdicts[verdicts != Verdict.CONVERGED], return_counts=True)
    return str(names[counts.argmax()])


def _finite(x: float) -> float:
    return x if math.isfinite(x) else 0.0
