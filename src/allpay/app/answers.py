"""What a contest brings: by theory where there is a formula, else by a quick solver on a coarse grid; and the best split."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from allpay.app import words
from allpay.app.contest import (
    changed,
    file_of,
    from_study_file,
    number_of,
    setting_of,
    space_of,
    study_file,
    weights_of,
)
from allpay.app.split import equal
from allpay.app.state import Answer, Best, Contest, Line, Read
from allpay.contest.game import Array, Game
from allpay.contest.values import Common, Discrete, values_at
from allpay.errors import AllpayError
from allpay.judgement import best_split
from allpay.learners import InteriorPoint, learn
from allpay.objectives import Objective
from allpay.objectives import objective as read_objective
from allpay.outcome import Outcome
from allpay.theory import Equilibrium, equilibrium_or_reason
from allpay.theory.measures import InTheory

LEVELS = {"value_levels": 24, "bid_levels": 41}
"""The grid of the quick solver."""

SOLVER = InteriorPoint(auctions=100)
"""What is solved by where there is no formula; the sampled auctions are not told."""

TOLD = ("revenue", "highest-bid", "top-3")

PLACES = np.linspace(0.0, 1.0, 101)
"""Quantiles at which bids are drawn."""


def read(contest: Contest, changes: dict[str, str]) -> Iterator[Read | Answer]:
    """What was understood of changes, and what the contest then brings, if nothing in it is amiss."""
    found = changed(contest, changes)
    yield found
    if "" not in found.wrong:
        yield answer(found.contest)


def open_study(text: str) -> Iterator[Contest]:
    """The contest of a study file, once."""
    yield from_study_file(text)


def export(contest: Contest, link: str, alone: bool) -> Iterator[str]:
    """The study file of a contest, once."""
    yield study_file(contest, link, alone)


def answer(contest: Contest) -> Answer:
    """What a contest brings with the split that it has."""
    found = _answer(contest, weights_of(contest))
    return replace(found, words=words.of_answer(contest, found))


def best(contest: Contest) -> Iterator[Best]:
    """The best split of the purse, once."""
    start = time.perf_counter()
    goal = _goals(contest)[0]
    yours, n = weights_of(contest), number_of(contest)
    k = max(len([w for w in contest.prizes if w > 0]), 1)
    named = {"yours": yours, "winner takes all": _whole(equal(1), n), "equal prizes": _whole(equal(k), n)}
    space, setting = space_of(contest), setting_of(contest)

    def value(shares: Array) -> float:
        game = setting.game(space.mechanism(shares.tolist()))
        found = equilibrium_or_reason(game)
        return math.nan if isinstance(found, str) else _in_theory(goal, game, found) or math.nan

    worth = {name: value(np.array(shares)) for name, shares in named.items()}
    exact = all(math.isfinite(number) for number in worth.values())
    tables = {tuple(shares) for shares in named.values()}
    if exact:
        known = [np.array(shares) for shares in named.values() if np.count_nonzero(shares) <= space.dimension]
        top, most = best_split(space, setting, goal, value, known)
    else:
        tables |= {_whole(equal(ranks), n) for ranks in (2, 3, 5, 8) if ranks < n} | {
            _whole(_geometric(ranks), n) for ranks in (2, 3, 5) if ranks < n
        }
        ordered = sorted(tables, reverse=True)
        solved = dict(zip(ordered, _solved(contest, goal, ordered), strict=True))
        worth = {name: solved[tuple(shares)] for name, shares in named.items()}
        top = max(ordered, key=lambda shares: solved[shares])
        most = solved[top]
    shares = tuple(float(w) for w in top)
    last = max(int(np.count_nonzero(shares)), 1)
    found = Best(
        shares[:last],
        {"yours": worth["yours"], "best": most, **{k: v for k, v in worth.items() if k != "yours"}},
        exact,
        len(tables),
        _answer(contest, shares),
        time.perf_counter() - start,
    )
    yield replace(found, words=words.of_best(contest, _answer(contest, yours), found))


def _whole(shares: Sequence[float], n: int) -> tuple[float, ...]:
    return (*shares, *(0.0,) * (n - len(shares)))


def _geometric(ranks: int) -> tuple[float, ...]:
    """Prizes each half as high as the one before."""
    parts = [0.5**k for k in range(ranks)]
    return tuple(part / sum(parts) for part in parts)


def _goals(contest: Contest) -> list[Objective]:
    """What is told, the objective first."""
    told = dict.fromkeys([contest.objective, *TOLD])
    found = [read_objective(text) for text in told]
    return [goal for goal in found if goal.ranks <= number_of(contest)]


def _in_theory(goal: Objective, game: Game, found: Equilibrium) -> float | None:
    try:
        return float(goal.value(InTheory(game, found)))
    except AllpayError:  # not known by theory, where another number is
        return None


def _answer(contest: Contest, shares: Sequence[float]) -> Answer:
    start = time.perf_counter()
    game = setting_of(contest).game(space_of(contest).mechanism(shares))
    found = equilibrium_or_reason(game)
    goals = _goals(contest)
    if isinstance(found, str) or _in_theory(goals[0], game, found) is None:
        reason = found if isinstance(found, str) else f"theory does not know {goals[0].words} here"
        return _by_solver(contest, shares, goals, reason, start)
    told = {goal.text: _in_theory(goal, game, found) for goal in goals}
    lines, by_value = _lines_in_theory(game, found), all_private(game)
    return Answer("theory", None, told, lines, by_value, 0.0, time.perf_counter() - start)


def all_private(game: Game) -> bool:
    """Whether each bidder has a value of its own, so that bids are drawn over values."""
    return not any(isinstance(bidder.values, Common) for bidder, _ in game.groups)


def names_of(game: Game) -> list[str]:
    """What the kinds of bidders are called."""
    return ["bids"] if len(game.groups) == 1 else [f"group {i}" for i in range(1, len(game.groups) + 1)]


def _values_at(game: Game, group: int, q: Array) -> Array:
    values = game.groups[group][0].values
    return q if isinstance(values, Common) or not all_private(game) else values_at(values.distribution, q)


def _lines_in_theory(game: Game, found: Equilibrium) -> tuple[Line, ...]:
    return tuple(
        Line(name, _plain(_values_at(game, i, PLACES)), _plain(found.groups[i].bid_at(PLACES)))
        for i, name in enumerate(names_of(game)[: len(found.groups)])
    )


def _plain(numbers: Array) -> tuple[float, ...]:
    return tuple(round(float(x), 6) for x in numbers)


# By the solver --------------------------------------------------------------------------------------------------------


def _game(contest: Contest, shares: Sequence[float]) -> Game:
    """The game on the coarse grid."""
    made = file_of(contest)
    coarse = {**LEVELS, **({} if _drawn(contest) else {"value_levels": None})}
    setting = made.game.model_copy(update=coarse).setting(SOLVER.setting, made.bidders)
    return setting.game(space_of(contest).mechanism(shares))


def _drawn(contest: Contest) -> bool:
    """Whether some values are drawn from a continuum, of which the grid has as many as one likes."""
    setting = setting_of(contest)
    game = setting.game(space_of(contest).mechanism(weights_of(contest)))
    return any(
        not isinstance(bidder.values, Common) and not isinstance(bidder.values.distribution, Discrete)
        for bidder, _ in game.groups
    )


def _by_solver(
    contest: Contest, shares: Sequence[float], goals: Sequence[Objective], reason: str, start: float
) -> Answer:
    outcome = learn(_game(contest, shares), SOLVER, rounds=1)
    told = {goal.text: float(goal.values(outcome)[0, 0]) for goal in goals}
    gain = float(outcome.relative_exploitability[0, 0])
    lines, by_value = lines_learned(outcome), all_private(outcome.games[0])
    return Answer("solver", reason, dict(told), lines, by_value, gain, time.perf_counter() - start)


def _solved(contest: Contest, goal: Objective, tables: Sequence[Sequence[float]]) -> list[float]:
    return [float(goal.values(learn(_game(contest, shares), SOLVER, rounds=1))[0, 0]) for shares in tables]


def lines_learned(outcome: Outcome, run: int = 0) -> tuple[Line, ...]:
    """What bidders of each kind bid in one round of the first design: the mean bid of each value, or where there is one value
    the quantiles of its bids."""
    game, profile = outcome.games[0], outcome.strategy[0, run]
    names = names_of(game)
    kinds = range(len(names)) if len(profile) == len(names) else np.cumsum([0, *game.counts[:-1]])
    by_value = all_private(game)
    found = []
    for i, (name, row) in enumerate(zip(names, (profile[k] for k in kinds), strict=True)):
        if by_value:
            middle = (np.arange(len(row)) + 0.5) / len(row)
            found.append(Line(name, _plain(_values_at(game, i, middle)), _plain(row @ game.bid_grid)))
        else:
            reached = np.searchsorted(np.cumsum(row.mean(axis=0)), PLACES, side="left")
            bids = game.bid_grid[np.minimum(reached, len(game.bid_grid) - 1)]
            found.append(Line(name, _plain(PLACES), _plain(bids)))
    return tuple(found)
