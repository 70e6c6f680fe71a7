"""Summaries of studies in plain words: what was asked, what was found, how sure it is, and what theory says to it.

Plain text of at most 100 columns. Everything said is computed from a `Result`; nothing is simulated here.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allpay.bounded import called
from allpay.contest.amounts import runs_in_words
from allpay.contest.attendance import Field
from allpay.contest.bidder import Bidder, kinds_of_values, levels_of, with_levels
from allpay.contest.game import Array, Game, Setting
from allpay.contest.mechanism import Mechanism
from allpay.contest.preferences import Cara, Cost, Crra, LossAverse, PowerCost, Utility
from allpay.contest.values import Beta, Common, Curve, Discrete, Distribution, Lognormal, Power, Private, Uniform
from allpay.errors import AllpayError
from allpay.frozen import Itself
from allpay.objectives import Objective, objective
from allpay.optimum import FLAT, NOTHING, beside_in_words, in_words, share_in_words
from allpay.outcome import Verdict
from allpay.report.announced import in_money, share_lost, step_in_words
from allpay.report.words import keep_table, prizes_in_words, significant, with_error
from allpay.scalars import numeral, valued
from allpay.simplex import FEW_ZEROS, looked_at
from allpay.study.study import DesignSpace
from allpay.theory import Equilibrium, InTheory, equilibrium_or_reason, value_or_reason

if TYPE_CHECKING:  # the pipeline is slow to import, and nothing of it runs here
    from allpay.pipeline import Result

SMALL = 0.01
"""The errors of means below this are given by their digits, not by decimals."""

WIDTH = 100
"""Columns of a summary."""

RAISED = {2.0: "²", 3.0: "³"}
"""Exponents that have a sign of their own."""

NEAREST = 0.1
"""The part of the designs, those nearest the best, whose rounds say how far learning settled there; at least three."""

DOING = {
    Verdict.CIRCLING: "bidders circle",
    Verdict.STILL_LEARNING: "bidders are still learning",
    Verdict.UNSOLVED: "the solver fails",
}
"""What goes on where a run has not converged."""

ENOUGH = 5
"""Designs per dimension of their space below which a study has few."""

SLIGHT = 0.01
"""Parts of an interval below this part of it are not named."""

LOW_R2 = 0.3
"""The held-out r² below which the summary says what a low one means."""


def summarise(result: "Result") -> str:
    """What a study says, in short paragraphs.

    The order is that of a reader's questions: what was asked, the best design and which others are as good, whether fresh
    simulations and held-out designs confirm it, how far the runs are equilibria, and what theory says.
    """
    keep_table(*_best_table(result))
    paragraphs = [
        _asked(result),
        _chosen(result),
        _beware(result),
        _found(result),
        _worth(result),
        _announced(result),
        _predicted(result),
        _fit(result),
        _learned(result),
        _theory(result),
    ]
    return "\n\n".join(wrapped(text) for text in paragraphs if text)


def _best_table(result: "Result") -> tuple[list[list[str]], str]:
    """The best design, and from where to where each of its numbers goes among those that cannot be told apart from it."""
    best, study = result.optimum, result.sweep.study
    dimension, beside = study.space.dimension, study.names[study.bidders :]
    ends = [*best.interval[:dimension], *((chosen.low, chosen.high) for chosen in best.chosen)]
    numbers = [*best.weights[:dimension], *(chosen.value for chosen in best.chosen)]
    names = [*(f"weight of rank {k + 1}" for k in range(dimension)), *(name.replace("_", " ") for name in beside)]
    rows = [
        [name, *(f"{x:.3f}" for x in (number, low, high))]
        for name, number, (low, high) in zip(names, numbers, ends, strict=True)
    ]
    how = "No design is best" if best.flat else "What is best cannot be told" if best.unknown else "The best design"
    caption = (
        f"{how} of {result.sweep.designs} by {study.learner.name}: {study.goal.words} {significant(best.value)}, "
        f"{best.confidence:.0%} interval {significant(best.low)} to {significant(best.high)}; and the designs that cannot be "
        f"told apart from it. {_capital(who_in_words(setting_of(result), study.bidders))}; rule: {study.space.rule}."
    )
    return [["", "here", "from", "to"], *rows], caption


def summarise_all(results: "Sequence[Result]") -> str:
    """Several studies side by side: a table, the game that each learner played, and a headline for each study.

    Raises:
        AllpayError: if there are none.
    """
    if not results:
        raise AllpayError("nothing to summarise: give at least one result")
    rows = [_HEADER, *(_row(result) for result in results)]
    keep_table(rows, "The best design of each study.")
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
    table = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    lines = [wrapped(_headline(r), indent="  ") for r in results]
    notes = [wrapped(_COLUMNS), *(wrapped(line, indent="  ") for line in games_in_words(results))]
    return "\n\n".join([table, "\n".join(notes), "\n".join(lines)])


def games_in_words(results: "Sequence[Result]") -> list[str]:
    """The grids and limits that each learner's bidders played with, a line for each that differs."""
    lines: dict[str, None] = {}
    for result in results:
        study, setting = result.sweep.study, setting_of(result)
        levels = levels_of(setting.values)
        values = f"{levels} values" if levels > 1 else "one value for all"
        limits = _limits(setting) or "bids above the value allowed"
        lines[f"{study.learner.name}: {values}, {setting.bid_levels} bids, {limits}"] = None
    return list(lines)


# The setting ----------------------------------------------------------------------------------------------------------


def setting_of(result: "Result") -> Setting:
    """Who bid for what."""
    setting = result.sweep.study.setting
    assert setting is not None
    return setting


def without_grid(setting: Setting) -> Setting:
    """The same setting on the coarsest grids: settings are equal then that have the same equilibria on continuous bids."""
    return replace(setting, bid_levels=3, values=with_levels(setting.values, lambda levels: 1))


def without_limits(setting: Setting) -> Setting:
    """The same, with neither a cap on bids nor a ban on overbidding."""
    return without_grid(replace(setting, max_bid=None, overbidding=True))


class Curves(NamedTuple):
    """The objective in the symmetric equilibrium of each design on continuous bids, NaN where there is no closed form.

    Attributes:
        free: `[designs]` of the game without limits on bids.
        own: `[designs]` of the game within the limits that the learner had.
        pooled: `[designs]` whether some bids pool at the cap there.
    """

    free: Array
    own: Array
    pooled: NDArray[np.bool_]

    @property
    def binds(self) -> NDArray[np.bool_]:
        """`[designs]` whether limits keep bidders from the equilibrium without them."""
        return self.pooled | (np.isfinite(self.free) & ~np.isfinite(self.own))


def equilibrium_curves(result: "Result", designs: Array) -> Curves:
    """What theory says of each design; kept for a while, since words, tables and figures of one result all ask for it."""
    return _curves(Itself(result), designs.shape, designs.tobytes())


@lru_cache(maxsize=8)
def _curves(key: "Itself[Result]", shape: tuple[int, ...], numbers: bytes) -> Curves:
    study, own = key.thing.sweep.study, setting_of(key.thing)
    free, _ = _in_theory(study.space, study.objective, without_limits(own), shape, numbers)
    inside, pooled = _in_theory(study.space, study.objective, without_grid(own), shape, numbers)
    return Curves(free, inside, pooled)


@lru_cache(maxsize=16)
def _in_theory(
    space: DesignSpace, text: str, setting: Setting, shape: tuple[int, ...], numbers: bytes
) -> tuple[Array, NDArray[np.bool_]]:
    """`[designs]` the objective in the equilibrium of each design, NaN where it is not known, and whether bids pool there."""
    worth, pooled, goal = [], [], objective(text)
    for weights in np.frombuffer(numbers).reshape(shape).tolist():
        game = space.game(setting, tuple(weights))
        found = equilibrium_or_reason(game)
        pooled.append(not isinstance(found, str) and found.pooled_from is not None)
        worth.append(math.nan if isinstance(found, str) else _brings(goal, game, found))
    return np.array(worth), np.array(pooled)


def _brings(goal: Objective, game: Game, found: Equilibrium) -> float:
    """The objective in an equilibrium; NaN where it is not known."""
    try:
        return goal.value(InTheory(game, found))
    except AllpayError:
        return math.nan


def setting_in_words(result: "Result") -> str:
    """The values, and the cost and risk attitude where they are not the plain ones."""
    return bidders_in_words(setting_of(result))


def who_in_words(setting: Setting | Game, bidders: int) -> str:
    """How many bid for what."""
    words = bidders_in_words(setting)
    return f"{bidders} bidders ({words})" if isinstance(setting.values, tuple) else f"{bidders} bidders, {words}"


def bidders_in_words(setting: Setting | Game) -> str:
    """The same of a setting or a game."""
    if isinstance(setting.values, tuple):
        return "; ".join(f"{count} with {_bidder_in_words(bidder)}" for bidder, count in setting.values)
    words = _values_in_words(setting.values)
    if setting.cost_power != 1:
        words += f", cost {raised(setting.cost_power)}"
    if setting.risk_aversion != 0:
        words += f", risk aversion {numeral(setting.risk_aversion)}"
    return words


def _values_in_words(values: Private | Common) -> str:
    if isinstance(values, Common):
        return "common values" if values.value == 1 else f"a common value of {numeral(values.value)}"
    return f"private values, {_distribution_in_words(values.distribution)}"


def _bidder_in_words(bidder: Bidder) -> str:
    """What sets a kind of bidder apart: its values, and what differs from the plain ones."""
    words = [
        f"the known value {numeral(bidder.values.value)}"
        if isinstance(bidder.values, Common)
        else _values_in_words(bidder.values)
    ]
    for name, in_words_of in PARTS.items():
        given = getattr(bidder, name)
        if given != getattr(PLAIN, name):
            words.append(in_words_of(given))
    return ", ".join(words)


def _cost_in_words(cost: Cost) -> str:
    match cost:
        case PowerCost(power, scale):
            return f"cost {'' if scale == 1 else f'{numeral(scale)}·'}{raised(power)}"
    return "a cost function of its own"


def raised(power: float) -> str:
    """The bid to a power."""
    return "b" if power == 1 else f"b{RAISED.get(power, f'^{power:g}')}"


def _utility_in_words(utility: Utility) -> str:
    match utility:
        case Cara(aversion):
            return f"risk aversion {numeral(aversion)}"
        case Crra(aversion, wealth):
            return f"relative risk aversion {numeral(aversion)} at a wealth of {numeral(wealth)}"
        case LossAverse(losses):
            return f"losses count {numeral(losses)} times"
    return "a utility function of its own"


PLAIN = Bidder()

PARTS: dict[str, Callable[[Any], str]] = {
    "cost": _cost_in_words,
    "utility": _utility_in_words,
    "max_bid": lambda cap: f"no bid above {numeral(cap)}",
    "overbidding": lambda allowed: "overbidding allowed" if allowed else "no bid above its own value",
    "head_start": lambda start: f"a head start of {numeral(start)}",
    "handicap": lambda factor: f"bids count {numeral(factor)} times",
    "presence": lambda chance: f"there with a chance of {numeral(chance)}",
    "joy": lambda worth: f"to win is worth {numeral(worth)} beside the prize",
    "attitude": lambda attitude: attitude.words,
}
"""What sets a kind of bidder apart, in words."""


def contest_in_words(setting: Setting | Game) -> list[str]:
    """How ranks are decided, who turns up, and what it takes to enter: a sentence each."""
    rules = setting.mechanism if isinstance(setting, Game) else setting
    luck = rules.success if isinstance(rules, Mechanism) else rules.luck
    sentences = [f"Ranks are decided by {luck.words}."]
    if rules.ties == "seconds-pay":
        sentences.append("Every loser who ties for the second place pays what the second pays.")
    if isinstance(setting.attendance, Field):
        sentences.append(f"Who turns up is random: {setting.attendance.words}; bidders do not know how many are there.")
    elif setting.attendance < 1:
        sentences.append(
            f"Each bidder turns up with a chance of {numeral(setting.attendance)}, and does not know who else is there."
        )
    reserve = f"a bid below the reserve of {numeral(rules.reserve)} does not count" if rules.reserve > 0 else ""
    fee = f"whoever bids pays a fee of {numeral(rules.fee)}" if rules.fee > 0 else ""
    if reserve or fee:
        sentences.append(f"{_capital(', and '.join(filter(None, (reserve, fee))))}; a bidder may stay out.")
    return sentences


def _distribution_in_words(distribution: Distribution) -> str:
    match distribution:
        case Uniform(low, high):
            return f"uniform on [{numeral(low, 4)}, {numeral(high, 4)}]"
        case Power(exponent, high):
            return f"F(v) = v^{exponent:g}" if high == 1 else f"F(v) = (v/{numeral(high, 4)})^{exponent:g}"
        case Beta(a, b, high):
            return f"Beta({numeral(a, 4)}, {numeral(b, 4)})" + (f" up to {numeral(high, 4)}" if high != 1 else "")
        case Curve(coefficients):
            return f"a smooth curve from {numeral(coefficients[0], 3)} to {numeral(coefficients[-1], 3)}"
        case Lognormal(mean, deviation, high):
            return f"lognormal({numeral(mean, 4)}, {numeral(deviation, 4)}) up to {numeral(high, 4)}"
        case Discrete(points):
            return f"{len(points)} from {numeral(points[0])} to {numeral(points[-1])}"
    return "of a distribution of one's own"


# Paragraphs -----------------------------------------------------------------------------------------------------------


def _asked(result: "Result") -> str:
    study = result.sweep.study
    setting = setting_of(result)
    two = study.space.dimension == 2 and not study.space.box
    named = [
        f"{called(choice.name)} ({numeral(choice.low)} to {numeral(choice.high)})" for choice in study.space.choose
    ]
    names = ["w", "1−w"] if two else [f"w_{k + 1}" for k in range(study.space.dimension)]
    if len(names) > 5:
        names[2:-1] = ["…"]
    rest = study.space.bidders - study.space.dimension
    weights = ", ".join(names + (["0"] * rest if rest <= FEW_ZEROS else ["0", "…", "0"]))
    limits = _limits(setting)
    bounds = _bounds(study.space)
    goal = study.goal.goal
    asked = [*([f"weights ({weights}){bounds}"] if study.space.dimension > 1 else []), *named]
    which = " and ".join(filter(None, (", ".join(asked[:-1]), asked[-1])))
    alone = "" if study.space.dimension > 1 else ", with all weight on the first rank,"
    verb = "bring" if study.space.dimension > 1 or len(named) > 1 else "brings"
    return (
        f"Asked: under the rule {study.space.rule}, which {which}{alone} {verb} the {goal}, if "
        f"{study.space.bidders} bidders ({setting_in_words(result)}) learn by {study.learner.name}? "
        f"{result.sweep.designs} designs × {_count(study.rounds, 'round')} on {setting.bid_levels} bids"
        + (f"; {limits}. " if limits else ". ")
        + " ".join(contest_in_words(setting))
        + _too_few(result)
    )


def _bounds(space: DesignSpace) -> str:
    """What the weights are bound by beside the order and sum of the simplex; empty if nothing."""
    first = "w" if space.line else "w_1"
    limits = (
        (f"{first} at most", space.first_at_most),
        (f"{first} at least", space.first_at_least),
        (f"w_{space.dimension} at least", space.last_at_least),
    )
    said = ["each from 0 to 1"] if space.box else []
    floors = space.at_least or ()
    if floors:
        ranks = "w_1" if len(floors) == 1 else f"w_1 to w_{len(floors)}"
        least = [numeral(floors[0])] if len(set(floors)) == 1 else [numeral(x) for x in floors]
        said.append(f"{ranks} at least {runs_in_words(least)}")
    said += [f"w_{a} to w_{b} the same" for a, b in space.tied]
    said += [f"{words} {numeral(limit)}" for words, limit in limits if limit is not None]
    return f", {', '.join(said)}," if said else ""


def _chosen(result: "Result") -> str:
    """How the designs of an active study were found; empty for others."""
    study, sweep = result.sweep.study, result.sweep
    if not study.active:
        return ""
    first = len(study.designs)
    return (
        f"Strategy: active. The first {_count(first, 'design')} {'were given' if study.given else 'cover the space'}, the "
        f"other {sweep.designs - first} were chosen one batch after another, where what was known left most to hope for. "
        f"{sweep.designs} of at most {study.samples} were simulated; stopped since {sweep.stopped}."
        + (
            f" They were searched for {sweep.searched}: what is best for {study.objective} may lie where none of them is."
            if sweep.searched
            else ""
        )
    )


def _too_few(result: "Result") -> str:
    """A warning of few designs in a space of many dimensions; empty if there are enough."""
    samples, dimensions = result.sweep.designs, result.sweep.study.space.polytope.freedom
    if samples >= ENOUGH * dimensions or samples < result.sweep.study.samples:  # an active study knew enough
        return ""
    return (
        f" {_count(samples, 'design')} {'is' if samples == 1 else 'are'} few for a space of "
        f"{_count(dimensions, 'dimension')}: give more{'' if result.sweep.study.given else ' --samples'}."
    )


def _beware(result: "Result") -> str:
    """What a reader must know before any number; empty if nothing."""
    best, r2, check = result.optimum, result.surrogate.r2, result.check.verdicts
    sentences = []
    if result.sweep.verdicts[Verdict.CONVERGED] == 0:
        sentences.append("no run of the study converged, so nothing below is an equilibrium's")
    elif not np.any(check == Verdict.CONVERGED):
        rounds = "the fresh round" if check.size == 1 else f"none of the {check.size} fresh rounds"
        negation = "did not converge" if check.size == 1 else "converged"
        sentences.append(f"at the best design {rounds} {negation}, so what is said of it is no equilibrium's")
    if r2 < 0 and not best.flat:  # on a flat curve nothing is left to explain
        sentences.append(
            f"on held-out designs the network does worse than their mean (r² = {r2:.2g}), so what it prefers means little"
        )
    return f"Beware: {'; '.join(sentences)}." if sentences else ""


def _found(result: "Result") -> str:
    best, what, study = result.optimum, _objective(result), result.sweep.study
    share = share_in_words(best.fraction)
    if best.uncertain:
        text = (
            f"Found: cannot tell. {_capital(_size(result))} are too few or too noisy to tell any design from another "
            f"({best.unknown}). {_capital(share)} of all designs ({_ranges(result)}) may be best; that the highest found is "
            f"{best.named} means little."
        )
    elif best.flat:
        text = (
            f"Found: {what} is flat, near {numeral(best.value, 4)}. {share} of all designs ({_ranges(result)}) cannot be told "
            f"apart, and all lie within about {FLAT:.0%} of one value, so none is better than another; that the highest "
            f"found is {best.named} is noise or grid error."
        )
    else:
        paid = sum(weight >= NOTHING for weight in best.weights)
        text = f"Found: the best design is {best.named}, with {prizes_in_words(paid, study.space.rule)}. "
        apart = [*best.interval, *((chosen.low, chosen.high) for chosen in best.chosen)]
        if all(high - low < 5e-4 for low, high in apart):
            text += "All other designs looked at can be told apart from it."
        else:
            text += f"{_capital(share)} of all designs, {_ranges(result)}, cannot be told apart from it."
    if result.resolution > 0:
        text += f" Differences in {what} below {_small(result.resolution)} are not resolved; the set allows for that."
        if study.learner.continuous and result.sweep.verdicts[Verdict.CONVERGED] < len(result.sweep.table):
            text += " Part of this comes from runs that did not converge."
    return text


def _worth(result: "Result") -> str:
    """What the design is worth: by fresh rounds, with one interval for their noise and the grid's error."""
    best, what = result.optimum, _objective(result)
    if not best.measured:
        return f"Worth: predicted {valued(what, best.value, 4)}, {_interval(result)}."
    rounds = _count(len(result.checked.rounds), "fresh round")
    text = f"Worth: {valued(what, best.value, 4)}, {_interval(result)}, measured in {rounds} with seeds not used before"
    named = ((result.grid, "the grid of bids leaves open"), (result.learning, "is left to learn"))
    half = max(best.high - best.value, best.value - best.low)
    left = [f"{_small(part)} of it on either side is what {what}" for part, what in named if part > SLIGHT * half]
    return f"{'; '.join([text, *left])}."


def _announced(result: "Result") -> str:
    """The answer in money, and in steps that can be announced; empty if neither was asked for."""
    study, told = result.sweep.study, result.announced
    sentences = []
    if study.money is not None and not result.optimum.undecided:
        sentences.append(f"In money: {in_money(result.optimum.weights, study.money)}.")
    if told is not None and study.step is not None:
        best = result.checked.mean
        lost = told.loss.mean / abs(best) if best else 0.0
        error = told.loss.stderr / abs(best) if best and study.rounds > 1 else math.nan
        sure = f" (standard error {100 * error:.2g}%)" if math.isfinite(error) and error > 0 else ""
        change = f"{share_lost(abs(lost))} {'less' if lost > 0 else 'more'} than" if lost else "as much as"
        sentences.append(
            f"To announce: in {step_in_words(study.step, study.money)} the best is {in_money(told.weights, study.money)}. In "
            f"fresh rounds with the same random numbers it brings {change} the best design{sure}."
        )
    return " ".join(sentences)


def _predicted(result: "Result") -> str:
    """Whether the network's prediction is what fresh rounds brought: a check of the network, not of the value."""
    best = result.optimum
    if not best.measured:
        return ""
    value, low, high = best.prediction
    between = f"{numeral(low, 4)} to {numeral(high, 4)}"
    text = f"Predicted: the network says {numeral(value, 4)} ({between}) of this design, from the designs it has seen"
    off = best.value - value
    if abs(off) <= 1e-9 * max(abs(value), 1):
        return text + "; what was measured is the same."
    text += f"; what was measured is {_small(abs(off))} {'above' if off > 0 else 'below'}. "
    if result.surrogate.r2 < LOW_R2:
        return text + (
            f"That is no test of it: the network did not predict held-out designs (r² = {result.surrogate.r2:.2g}), "
            "so the answer rests on the fresh rounds."
        )
    if low <= best.value <= high:
        return text + "That lies in the network's interval: they agree."
    if low <= best.high and best.low <= high:
        return (
            text + "That lies outside the network's interval, though the two intervals overlap: take what was measured."
        )
    unsettled = (~result.check.converged).sum()
    if unsettled:
        text += f"{unsettled} of {_count(result.check.converged.size, 'fresh round')} did not converge. "
    return text + "The two intervals do not overlap: they disagree. Take what was measured, and sample more designs."


def _fit(result: "Result") -> str:
    r2, rmse, what = result.surrogate.r2, result.surrogate.rmse, _objective(result)
    text = f"Fit: on held-out designs the network has r² = {r2:.3f} and a root mean square error of {numeral(rmse, 2)}."
    if result.optimum.uncertain:
        return text + " Sample more designs, or learn each in more rounds."
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
    model = result.check.behaviour
    if model and counts[Verdict.CONVERGED] == runs:
        text = (
            f"Learning: all {runs} runs are {model}: every design's {what} is that of people who bid as the model says, not "
            "that of a Nash equilibrium."
        )
    elif counts[Verdict.CONVERGED] == runs:
        text = (
            f"Learning: all {runs} runs converged: every design's {what} can be read as an equilibrium's on the grid."
        )
    else:
        listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        text = f"Learning: of {runs} runs, {listed}. {_where(result)}"
        if counts[Verdict.CIRCLING]:
            text += f" Where bidders circle, {what} is what they pay on the way, not an equilibrium's."
        if counts[Verdict.STILL_LEARNING]:
            text += " Still learning means that exploitability had not settled when the run ended: more iterations may help."
        if counts[Verdict.UNSOLVED]:
            text += " Where the game is not solved the solver stopped too early, and its bids mean nothing."
    if counts[Verdict.CONVERGED] < runs or settled < len(check):
        text += f" {_at_best(result)}"
    return text


def _near_best(result: "Result") -> tuple[int, int]:
    """How many of the rounds at the designs nearest the best converged, and how many these are."""
    best = result.sweep.study.space.points(np.array(result.optimum.design))
    apart = np.abs(result.sweep.points - best).sum(axis=1)
    nearest = np.argsort(apart, kind="stable")[: max(3, math.ceil(NEAREST * len(apart)))]
    settled = result.sweep.values("verdict")[nearest] == Verdict.CONVERGED.value
    return int(settled.sum()), settled.size


def _at_best(result: "Result") -> str:
    """How far learning settled where the answer lies."""
    near, rounds = _near_best(result)
    fresh = result.check.converged
    where = "At the designs nearest the " + ("one recommended" if result.optimum.undecided else "best")
    return (
        f"{where}, {near} of {_count(rounds, 'round')} converged, and of the fresh check {int(fresh.sum())} of "
        f"{_count(fresh.size, 'round')}."
    )


def _where(result: "Result") -> str:
    """Which part of the curve is equilibrium and which is not."""
    study = result.sweep.study
    w = result.sweep.weights[:, 0]
    verdicts = result.sweep.values("verdict")
    order = np.argsort(w)
    w, verdicts = w[order], verdicts[order]
    unsettled = (verdicts != Verdict.CONVERGED).mean(axis=1)
    name = "w" if study.space.line else "w_1"
    if np.all(unsettled > 0.5):
        return "Under every design most runs did not converge: no part of the result is an equilibrium."
    if not np.any(unsettled > 0.5):
        low, high = (f"{end:.2f}" for end in w[unsettled > 0][[0, -1]])
        where = f"at {name} = {low}" if low == high else f"at {name} from {low} to {high}"
        return f"Under every design most runs converged; the others lie {where}."
    spans = _spans(w, unsettled > 0.5)
    doing = DOING[Verdict(_mode(verdicts[unsettled > 0.5]))]
    if len(spans) == 1 and spans[0][0] == w[0]:
        edge = float(w[w > spans[0][1]][0] + spans[0][1]) / 2
        return f"For {name} below {edge:.2f} {doing} in most runs; above, most runs are equilibria on the grid."
    if len(spans) == 1 and spans[0][1] == w[-1]:
        edge = float(w[w < spans[0][0]][-1] + spans[0][0]) / 2
        return f"For {name} above {edge:.2f} {doing} in most runs; below, most runs are equilibria on the grid."
    if len(spans) <= 3:
        listed = " and ".join(f"{a:.2f}" if a == b else f"{a:.2f} to {b:.2f}" for a, b in spans)
        return f"{_capital(doing)} in most runs at {name} = {listed}; elsewhere most runs are equilibria on the grid."
    share = float(np.mean(unsettled > 0.5))
    return (
        f"Under {share:.0%} of the designs, between {name} = {spans[0][0]:.2f} and {spans[-1][1]:.2f}, {doing} in "
        "most runs."
    )


def _theory(result: "Result") -> str:
    study, best, what = result.sweep.study, result.exact_best, _objective(result)
    setting = setting_of(result)
    sentences = []
    if result.theory_missing:
        sentences.append(f"Theory: its best design is missing, since {result.theory_missing}.")
    elif best is None:
        reason = value_or_reason(study.game(result.optimum.design), study.goal)
        sentences.append(
            f"Theory: no closed form to compare with, since {reason}."
            if isinstance(reason, str)
            else "Theory: the program knows the equilibrium of each design, but not which design is best."
        )
    elif best.flat:
        every, best_of_all = "every design", "no weights are best"
        if best.fraction < 1:
            every += f" for which the program has a closed form ({_part(best.fraction)} of all)"
            best_of_all = "none of these is best"
        sentences.append(
            f"Theory: in equilibrium {what} is {numeral(best.value, 4)} under {every}, so {best_of_all}; whatever the "
            f"simulations prefer is due to grids, limits on bids, or {result.check.behaviour or 'learning'}."
        )
    else:
        design = in_words(best.weights) + beside_in_words(best.chosen)
        named = f"{design}, with an equilibrium {what} of {numeral(best.value, 4)}"
        sentences.append(
            f"Theory: the best design is {named}."
            if best.fraction == 1
            else f"Theory: among the {_part(best.fraction)} of designs for which the program has a closed form, the best is "
            f"{named}; for the others it has no formula{_banned(setting)}."
        )
    if result.exact is not None:
        text = f"At the best design found it is {numeral(result.exact, 4)}"
        if result.exact > 0:
            off = result.checked.mean / result.exact - 1
            side = "above" if off > 0 else "below"
            text += (
                "; the check is within 0.01% of that" if abs(off) < 1e-4 else f"; the check lies {abs(off):.2%} {side}"
            )
            if not result.optimum.low <= result.exact <= result.optimum.high:
                text += ", and its interval does not hold it"
        sentences.append(text + ".")
    elif best is not None:
        reason = value_or_reason(study.game(result.optimum.design), study.goal)
        since = f", since {reason}" if isinstance(reason, str) else ""
        sentences.append(f"For the best design found there is no closed form to compare with{since}.")
    sentences.extend(_about_limits(result))
    if best is not None and not study.learner.continuous:
        levels = f"{setting.bid_levels} bids" + (
            f" and {levels_of(setting.values)} values"
            if not all(kind.exact for kind in kinds_of_values(setting.values))
            else ""
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
    if without_limits(setting) == without_grid(setting):
        return
    designs = study.space.designs(np.concatenate(looked_at(study.space.polytope, 101)))
    curves = equilibrium_curves(result, designs)

    def where(kept: NDArray[np.bool_]) -> str:
        if not study.space.line:
            return f"under {kept.mean():.0%} of the designs"
        if kept.all():
            return "for every w"
        listed = (f"{a:.2f} to {b:.2f}" for a, b in _spans(designs[:, 0], kept))
        return "for w from " + " and from ".join(listed)

    if curves.pooled.any():
        assert setting.max_bid is not None
        free = curves.free[curves.pooled & np.isfinite(curves.free)]
        without = f", without a cap {_range(free)}" if free.size else ""
        yield (
            f"The cap matters (no bid above {numeral(setting.max_bid)}): {where(curves.pooled)} it binds, so that in "
            f"equilibrium bids pool at it; {_objective(result)} is {_range(curves.own[curves.pooled])} there{without}."
        )
    beyond = curves.binds & ~curves.pooled
    if beyond.any():
        # a limit can also raise what bidders pay in a contest (Che and Gale 1998), so that more is said of this case alone
        lowers = study.space.rule == "payments" and isinstance(setting.values, Private) and setting.cost_power == 1
        effect = "revenue is lower there" if lowers else f"{_objective(result)} may differ"
        yield (
            f"Limits on bids matter ({_limits(setting)}): {where(beyond)} the equilibrium without them has higher bids, so "
            f"these bidders cannot play it, and {effect}."
        )


# The table ------------------------------------------------------------------------------------------------------------

_HEADER = ("rule", "learner", "best w", "interval", "predicted", "measured", "by theory", "converged")
_COLUMNS = (
    "w is the weight of the highest rank, its interval that of designs not told apart from the best. Measured: fresh rounds, "
    "± the half of their 90% interval, with what the grid of bids and learning leave open. Converged: of all rounds, and "
    "of those at the designs nearest the best."
)


def _row(result: "Result") -> tuple[str, ...]:
    best, theory, counts = result.optimum, result.exact_best, result.sweep.verdicts
    near, rounds = _near_best(result)
    if theory is None:
        by_theory = "none known"
    else:
        by_theory = f"{'any' if theory.flat else f'{theory.weights[0]:.3f}'}: {numeral(theory.value, 4)}"
    return (
        result.sweep.study.space.rule,
        result.sweep.study.learner.name,
        "unknown" if best.uncertain else "any" if best.flat else f"{best.weights[0]:.3f}",
        ", ".join(f"{low:.3f}–{high:.3f}" for low, high in best.parts[0]),
        f"{numeral(best.prediction[0], 4)}",
        f"{with_error(best.value, None)} ± {error_in_words(max(best.high - best.value, best.value - best.low), best.value)}",
        by_theory,
        f"{_part(counts[Verdict.CONVERGED] / sum(counts.values()))}, {_part(near / rounds)}",
    )


def _headline(result: "Result") -> str:
    best, theory, what, study = result.optimum, result.exact_best, _objective(result), result.sweep.study
    text = f"{study.space.rule}, {study.learner.name}: "
    if best.uncertain:
        text += f"cannot tell: {_size(result)} are too few or too noisy to tell any design from another"
    elif best.flat:
        text += f"{what} is flat, near {numeral(best.value, 4)}; no weights are better than others"
        if result.resolution > 0:
            text += f" (differences below {_small(result.resolution)} are not resolved)"
    else:
        between = f"{numeral(best.low, 4)} to {numeral(best.high, 4)}"
        text += f"best at {_named(result, best.weights)}, {valued(what, best.value, 4)} ({between})"
    if theory is None:
        text += "; no closed form"
    else:
        of = f" the {_part(theory.fraction)} of designs that have a closed form" if theory.fraction < 1 else ""
        if theory.flat:
            text += f"; theory: {numeral(theory.value, 4)} for {of.strip() or 'all weights'}"
        else:
            text += f"; theory: best{f' of{of}' if of else ''} at {_named(result, theory.weights)}, {numeral(theory.value, 4)}"
    counts = result.sweep.verdicts
    unsettled = sum(counts.values()) - counts[Verdict.CONVERGED]
    fresh = result.check.converged
    if unsettled == 0 and fresh.all():
        return text + "."
    near, rounds = _near_best(result)
    return text + (
        f"; {unsettled} of {_count(sum(counts.values()), 'run')} did not converge, of those nearest "
        f"{'the one recommended' if best.undecided else 'the best'} {rounds - near} of {rounds}, of the fresh check "
        f"{int((~fresh).sum())} of {fresh.size}."
    )


# Words ----------------------------------------------------------------------------------------------------------------


def _objective(result: "Result") -> str:
    return result.sweep.study.goal.words


def _limits(setting: Setting) -> str:
    """The limits that bids were under; empty if none."""
    cap = "" if setting.max_bid is None else f"no bid above {numeral(setting.max_bid)}"
    own = "" if setting.overbidding else "no bid above the bidder's own value"
    return ", ".join(filter(None, (cap, own)))


def _ranges(result: "Result") -> str:
    """The set that cannot be told from the best, rank by rank; of two weights the first says all."""
    return result.optimum.ranges("w")


def _interval(result: "Result") -> str:
    return f"{result.optimum.confidence:.0%} interval {numeral(result.optimum.low, 4)} to {numeral(result.optimum.high, 4)}"


def _size(result: "Result") -> str:
    return f"{_count(result.sweep.designs, 'design')} × {_count(result.sweep.study.rounds, 'round')}"


def _banned(setting: Setting) -> str:
    """Why there may be no formula."""
    return "" if setting.overbidding else ", as where bids would pass the bidder's value, which is not allowed"


def _range(numbers: Array) -> str:
    low, high = f"{numeral(numbers.min(), 4)}", f"{numeral(numbers.max(), 4)}"
    return low if low == high else f"{low} to {high}"


def _part(share: float) -> str:
    """A share in percent, not rounded to none or all."""
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def error_in_words(x: float, mean: float = 1.0) -> str:
    """The standard error of a mean to four or five decimals, never rounded to none; of a small mean, to two digits."""
    if x == 0:
        return "0"
    if abs(mean) < SMALL:
        return significant(x, 2)
    return "<0.00001" if x < 5e-6 else f"{x:.{4 if x >= 1e-4 else 5}f}"


def _small(x: float) -> str:
    """Two digits, without an exponent."""
    return f"{x:.{max(1, 1 - math.floor(math.log10(x)))}f}" if 1e-8 < x < 1 else f"{numeral(x, 2)}"


def _named(result: "Result", weights: Sequence[float]) -> str:
    """A design in a few words; of two weights the first says all."""
    if result.optimum.chosen:
        return result.optimum.named
    return f"w = {numeral(weights[0], 3)}" if result.optimum.freedom == 1 else in_words(weights)


def wrapped(text: str, indent: str = "") -> str:
    """The text in lines, with its last word never alone on one."""
    head, _, last = text.rpartition(" ")
    glued = f"{head}\N{NO-BREAK SPACE}{last}" if head else last
    lines = fill(glued, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
    return lines.replace("\N{NO-BREAK SPACE}", " ")


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
