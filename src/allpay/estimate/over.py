"""What data leave open: a number that they do not tell is taken from a range, point by point; what values follow from each,
which split is best then, and which split is safe over all of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allpay.contest.bidder import Bidder
from allpay.contest.game import Setting
from allpay.contest.preferences import PowerCost
from allpay.contest.success import success
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.estimate.advice import wants
from allpay.estimate.luck import Asked
from allpay.estimate.past import Contests
from allpay.estimate.power import Sought
from allpay.estimate.values import EstimatedGroups, EstimatedValues
from allpay.estimate.worlds import Open, World
from allpay.learners import FictitiousPlay
from allpay.learners.base import learn
from allpay.progress import Reporter, Silent
from allpay.scalars import numeral
from allpay.scenarios import compare
from allpay.study import DesignSpace
from allpay.study.scenario import Scenario

Array = NDArray[np.float64]
Estimate = EstimatedValues | EstimatedGroups

POINTS, LOOKED_AT = 5, 9
"""So many points of a range are told, of so many powers of cost that are looked at."""

EXCLUDED = 1.5
"""Data exclude a number with which more than so many times the least is left unexplained, or what chance leaves: a likelihood
ratio of e⁵ at 20 quantiles."""

RANKS, RANKS_IN_THEORY = 3, 5
"""So many ranks may have a prize where bidders learn, and where theory knows the best split."""

PARTS = 10
"""Where bidders learn, splits are tried in steps of one part of so many."""

LEVELS = 64
"""So many values a bidder can have there."""

USUAL_LEVELS = Private().levels
"""The same of bidders alike."""


def over_powers(
    contests: Contests,
    sought: Sought,
    estimate: Callable[[PowerCost, int], Estimate],
    resamples: int,
    reporter: Reporter | None = None,
) -> Estimate:
    """The estimate at one power of cost, and beside it what follows from others of a range, none of which data exclude.

    Args:
        contests: what was bid.
        sought: the range.
        estimate: from a cost and how often contests are drawn anew.
        resamples: of the estimate that is kept.
        reporter: is told how far it is.
    """
    powers = np.geomspace(sought.low, sought.high, LOOKED_AT).tolist()
    texts = [f"b^{numeral(float(f'{p:.3g}'))}" for p in powers]
    return _over(
        *("cost power", (sought.low, sought.high), powers, texts),
        *(lambda k, draws: estimate(PowerCost(powers[k]), draws), resamples, reporter),
    )


def over_luck(
    luck: Asked, estimate: Callable[[str, int], Estimate], resamples: int, reporter: Reporter | None = None
) -> Estimate:
    """The same of luck, where its amount is not told: `luck` has a range, and estimates are from a text as `normal(0.2)`.

    Raises:
        AllpayError: if it has none.
    """
    if luck.within is None:
        raise AllpayError(f"luck has no range here: give one, as {luck.template.format('0.1:0.3')}")
    numbers = [float(f"{x:.4g}") for x in np.geomspace(*luck.within, POINTS)]
    texts = [luck.text(x) for x in numbers]
    return _over("luck", luck.within, numbers, texts, lambda k, draws: estimate(texts[k], draws), resamples, reporter)


def _over(
    what: str,
    within: tuple[float, float],
    numbers: Sequence[float],
    texts: Sequence[str],
    estimate: Callable[[int, int], Estimate],
    resamples: int,
    reporter: Reporter | None,
) -> Estimate:
    reporter = reporter or Silent()
    with reporter.stage("values over the range"):
        found = []
        for k in range(len(numbers)):
            found.append(estimate(k, 0))
            reporter.advance(k + 1, len(numbers))
    left = np.array([max(np.nan if part.misfit is None else part.misfit for part in parts_of(one)) for one in found])
    allowed = np.arange(len(found)) if np.isnan(left).any() else np.flatnonzero(left <= EXCLUDED * max(1.0, left.min()))
    if len(allowed) < 2:
        raise AllpayError(
            f"of this range of the {what} only {texts[int(allowed[0])]} explains these bids: give that one, or a narrower range"
        )
    excluded = tuple(text for k, text in enumerate(texts) if k not in allowed)
    chosen = allowed[np.unique(np.round(np.linspace(0, len(allowed) - 1, POINTS)).astype(int))]
    numbers, texts, found = ([row[k] for k in chosen] for row in (numbers, texts, found))
    bidders = bidders_of(found[0])
    settings = [setting_of(one) for one in found]
    with reporter.stage("the best split of each, and for all"):
        best, split, losses, method = _splits(bidders, settings, texts, reporter)
    worlds = tuple(
        World(
            *(number, text, tuple(part.distribution for part in parts_of(one)), _power(one), _luck(one)),
            *(tuple(own), float(loss)),
        )
        for number, text, one, own, loss in zip(numbers, texts, found, best, losses, strict=True)
    )
    told = Open(what, worlds, tuple(split), bidders, method, excluded, within)
    return replace(estimate(int(chosen[told.kept]), resamples), open=told)


def parts_of(found: Estimate) -> tuple[EstimatedValues, ...]:
    """What was found of each group, or of all."""
    return (found,) if isinstance(found, EstimatedValues) else found.parts


def _power(found: Estimate) -> float:
    cost = parts_of(found)[0].cost
    assert isinstance(cost, PowerCost)
    return cost.power


def _luck(found: Estimate) -> str:
    return found.luck.text if isinstance(found, EstimatedGroups) and found.luck is not None else ""


def bidders_of(found: Estimate) -> int:
    """How many bid in most contests."""
    return found.kinds[0].kind.bidders if isinstance(found, EstimatedValues) else sum(found.counts)


def setting_of(found: Estimate) -> Setting:
    """The bidders of an estimate."""
    if isinstance(found, EstimatedValues):
        return Setting(wants(found.distribution, USUAL_LEVELS), cost_power=_power(found), attendance=found.presence)
    groups = tuple(
        (Bidder(wants(part.distribution, LEVELS), cost=part.cost, presence=part.presence), count)
        for part, count in zip(found.parts, found.counts, strict=True)
        if count
    )
    luck = _luck(found)
    return Setting(groups, luck=success(luck)) if luck else Setting(groups)


def _splits(
    bidders: int, settings: Sequence[Setting], names: Sequence[str], reporter: Reporter
) -> tuple[list[list[float]], list[float], list[float], str]:
    """The best split of each setting, the one that is safe in all, and what it loses in each; and how they were found."""
    space = DesignSpace("prizes", bidders, min(RANKS_IN_THEORY, bidders))
    if not any(isinstance(setting.values, tuple) or setting.luck.lucky for setting in settings):
        scenarios = [Scenario(name, one, bidders) for name, one in zip(names, settings, strict=True)]
        try:
            found = compare((), scenarios, settings[0], space, advance=reporter.advance)
        except AllpayError:  # which has no formula here
            pass
        else:
            ranked = found.weights[:, : space.dimension].tolist()
            return ranked[: len(settings)], ranked[-1], found.losses[-1].tolist(), "theory"
    space, tried = DesignSpace("prizes", bidders, min(RANKS, bidders)), _parted(PARTS, min(RANKS, bidders))
    brought = np.zeros((len(tried), len(settings)))
    for j, setting in enumerate(settings):
        for i, split in enumerate(tried):
            weights = (*(x / PARTS for x in split), *[0.0] * (bidders - len(split)))
            outcome = learn(space.game(setting, weights), FictitiousPlay(), rounds=1)
            brought[i, j] = float(np.mean(outcome.revenue))
            reporter.advance(j * len(tried) + i + 1, brought.size)
    most = brought.max(axis=0)
    losses = 1.0 - brought / np.where(most > 0, most, 1.0)
    safe = int(np.argmin(losses.max(axis=1)))
    each = [[x / PARTS for x in split] for split in tried]
    return [each[i] for i in brought.argmax(axis=0)], each[safe], losses[safe].tolist(), "learned"


def _parted(whole: int, ranks: int, most: int | None = None) -> list[tuple[int, ...]]:
    """All ways to part a whole among so many ranks, none rising.

    >>> _parted(3, 2)
    [(3, 0), (2, 1)]
    """
    most = whole if most is None else most
    if ranks == 1:
        return [(whole,)] if whole <= most else []
    return [
        (first, *rest) for first in range(min(whole, most), -1, -1) for rest in _parted(whole - first, ranks - 1, first)
    ]
