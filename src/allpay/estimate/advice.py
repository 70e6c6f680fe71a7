"""How far the best design depends on the contests that happen to be in the data: the best of each resample, and the loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allpay.contest.bidder import levels_of
from allpay.contest.game import Game, Setting
from allpay.contest.preferences import PowerCost
from allpay.contest.success import success
from allpay.contest.values import Common, Distribution, Private
from allpay.estimate.families import constant
from allpay.estimate.values import EstimatedGroups, EstimatedValues, Explained
from allpay.exact import best_in_theory, objective_at
from allpay.scalars import holding
from allpay.study import DesignSpace
from allpay.theory import equilibrium

MOST_DRAWS = 100
"""The best design is sought of so many resamples at most."""


@dataclass(frozen=True)
class Advice:
    """A design beside the best of each resample, by theory.

    Attributes:
        design: the weights, and what is chosen beside them.
        best: `[draws]` the best design of each resample that has one.
        loss: `[draws]` the part of the best objective that the design loses there.
        without: how many resamples more have no best design, since theory has no formula there.
        flat: how many resamples more have none, since all designs bring the same there.
    """

    design: tuple[float, ...]
    best: tuple[tuple[float, ...], ...]
    loss: tuple[float, ...]
    without: int = 0
    flat: int = 0

    def within(self, share: float = 0.95) -> list[tuple[float, float]]:
        """The range of each number of the best design over this share of the resamples, without as many at either end."""
        tail = 0.5 * (1 - share)
        low, high = np.quantile(np.array(self.best), [tail, 1 - tail], axis=0, method="inverted_cdf")
        return list(zip(low.tolist(), high.tolist(), strict=True))

    def most_lost(self, share: float = 0.95) -> float:
        """What the design loses at most in this share of the resamples."""
        return float(np.quantile(np.array(self.loss), share, method="inverted_cdf"))


def advise(
    space: DesignSpace,
    setting: Setting,
    objective: str,
    design: Sequence[float],
    draws: Sequence[Distribution],
    advance: Callable[[float, float], None] = lambda done, total: None,
) -> Advice | None:
    """The best design of each resample by theory, and what a design loses there; None where theory has none.

    Args:
        space, setting, objective: the question; the setting's values are replaced.
        design: the weights recommended, and what is chosen beside them.
        draws: where values come from in each resample.
        advance: is told how far it is.
    """
    levels = levels_of(setting.values)
    drawn = [replace(setting, values=wants(draw, levels)) for draw in draws]
    return advise_in(space, drawn, objective, design, advance)


def settings_of(found: EstimatedValues | EstimatedGroups, setting: Setting) -> list[Setting]:
    """A setting of an estimate with the values of each resample, the power of cost if that was found, and its presence where
    the setting has the estimate's.
    """
    levels = levels_of(setting.values)
    if isinstance(found, EstimatedValues):
        absent = found.presences if setting.attendance == found.presence else ()
        return [
            replace(
                setting,
                values=wants(draw, levels),
                attendance=absent[k] if absent else setting.attendance,
                cost_power=setting.cost_power if found.power is None else found.power.draws[k],
            )
            for k, draw in enumerate(found.draws)
        ]
    there = [part for part, count in zip(found.parts, found.counts, strict=True) if count]
    drawn = []
    for k in range(len(there[0].draws)):
        each = [(wants(part.draws[k], levels), part.presences[k] if part.presences else 1.0) for part in there]
        groups = zip(each, setting.values, strict=True)
        power = there[0].power
        values = tuple(
            (
                replace(bidder, values=v, presence=p, cost=bidder.cost if power is None else PowerCost(power.draws[k])),
                count,
            )
            for (v, p), (bidder, count) in groups
        )
        luck = setting.luck if found.luck is None or not found.luck.draws else success(found.luck.at(k))
        drawn.append(replace(setting, values=values, luck=luck))
    return drawn


def wants(distribution: Distribution, levels: int) -> Private | Common:
    """Values of a distribution: common where it has but one."""
    value = constant(distribution)
    return Private(distribution, levels) if value is None else Common(value)


def advise_in(
    space: DesignSpace,
    settings: Sequence[Setting],
    objective: str,
    design: Sequence[float],
    advance: Callable[[float, float], None] = lambda done, total: None,
) -> Advice | None:
    """The same in settings: as many as resamples are looked at. None where theory has a formula in none of them."""
    best, loss, flat = [], [], 0
    drawn = settings[:MOST_DRAWS]
    for done, there in enumerate(drawn):
        found = best_in_theory(space, there, objective)
        advance(done + 1, len(drawn))
        if found is None:
            continue
        if found.flat:
            flat += 1
            continue
        value = float(objective_at(space, there, objective)(space.points(np.array([design], float)))[0][0])
        if np.isfinite(value):
            best.append(found.design)
            loss.append(max(0.0, (found.value - value) / abs(found.value)) if found.value else 0.0)
    without = len(drawn) - len(best) - flat
    return Advice(tuple(map(float, design)), tuple(best), tuple(loss), without, flat) if best or flat else None


@dataclass(frozen=True)
class LastYear:
    """What a design would have brought in past contests of one kind, by theory, beside what was seen.

    Attributes:
        bidders, prizes: of the kind; prizes are parts of the purse.
        contests: how many there were.
        seen: the mean total, and the mean best entry, each with its standard error.
        old: what theory expects of both with the prizes that there were.
        new: with the design.
        within: the range of each of `new` over 95 % of the resamples; None without resamples.
        change: the range of new over old less 1, resample by resample; None without resamples. Both hold what is told.
        without: how many resamples more tell nothing, since theory has no formula there.
    """

    bidders: int
    prizes: tuple[float, ...]
    contests: int
    seen: tuple[tuple[float, float], tuple[float, float]]
    old: tuple[float, float]
    new: tuple[float, float]
    within: tuple[tuple[float, float], tuple[float, float]] | None
    change: tuple[tuple[float, float], tuple[float, float]] | None
    without: int = 0


MOST_YEARS = 3
"""Of so many kinds of past contests it is told what would have happened."""


def last_year(
    found: EstimatedValues | EstimatedGroups,
    space: DesignSpace,
    setting: Setting,
    design: Sequence[float],
    advance: Callable[[float, float], None] = lambda done, total: None,
) -> tuple[LastYear, ...] | None:
    """What a design would have brought in the past contests that had as many bidders; None where theory has no formula.

    Args:
        found: the estimate, which knows totals and best entries of past contests.
        space, setting: the question.
        design: the weights recommended, and what is chosen beside them.
        advance: is told how far it is.
    """
    kinds = (found if isinstance(found, EstimatedValues) else found.parts[0]).kinds
    same = [k for k in kinds if k.kind.bidders == space.bidders and k.total and k.best and _composed(found, k)][
        :MOST_YEARS
    ]
    drawn = settings_of(found, setting)[:MOST_DRAWS]
    told = []
    for number, kind in enumerate(same):
        prizes = kind.kind.prizes
        rows = []
        for done, there in enumerate([setting, *drawn]):
            both = [_brings(game) for game in _games(space, there, design, prizes)]
            advance(number + (done + 1) / (1 + len(drawn)), len(same))
            if both[0] is not None and both[1] is not None:
                rows.append(both)
            elif done == 0:
                return None
        table = np.array(rows, float)  # [1 + draws, old and new, total and best]
        ends = (
            [np.quantile(x, [0.025, 0.975], axis=0).T for x in (table[1:, 1], table[1:, 1] / table[1:, 0] - 1)]
            if len(rows) > 1
            else []
        )
        said = table[0, 1], table[0, 1] / table[0, 0] - 1
        within, change = (
            (
                (tuple(holding(float(low), float(high), float(x)) for (low, high), x in zip(*both, strict=True)))
                for both in zip(ends, said, strict=True)
            )
            if ends
            else (None, None)
        )
        without = 1 + len(drawn) - len(rows)
        assert kind.total is not None
        assert kind.best is not None
        old, new = (tuple(map(float, table[0, k])) for k in (0, 1))
        told.append(
            LastYear(space.bidders, prizes, kind.contests, (kind.total, kind.best), old, new, within, change, without)  # type: ignore[arg-type]
        )
    return tuple(told)


def _composed(found: EstimatedValues | EstimatedGroups, kind: Explained) -> bool:
    """Whether contests of a kind have as many bidders of each group as those that are designed."""
    return isinstance(found, EstimatedValues) or kind.kind.counts == found.counts


def _games(space: DesignSpace, setting: Setting, design: Sequence[float], prizes: Sequence[float]) -> tuple[Game, Game]:
    """The contest with the prizes that there were, and with the design, whose prizes are parts of the same purse."""
    new = space.game(setting, tuple(design))
    purse = sum(prizes)
    won = (*prizes, *[0.0] * (space.bidders - len(prizes)))
    old = setting.game(replace(new.mechanism, prizes=won))
    return old, replace(new, mechanism=replace(new.mechanism, prizes=tuple(purse * x for x in new.mechanism.prizes)))


def _brings(game: Game) -> tuple[float, float] | None:
    """Total and best entry in equilibrium."""
    exact = equilibrium(game)
    return None if exact is None else (exact.revenue, exact.highest_bid)
