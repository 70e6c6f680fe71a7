"""The checks: the same known cases through theory, the exact payoffs of the grid, sampled auctions, and every learner."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from allpay.contest.auction import play
from allpay.contest.game import Game
from allpay.contest.mechanism import all_pay
from allpay.contest.payoffs import evaluate, expected_payoffs
from allpay.contest.values import Common, Discrete, Private
from allpay.learners import DEEP, LEARNERS, Learner, run_seeds
from allpay.learners.base import Seeds
from allpay.outcome import Outcome, Verdict, stake
from allpay.progress import Reporter, Silent
from allpay.theory import Equilibrium, equilibrium, on_grid, two_bidder_all_pay
from allpay.verify.cases import BAYE_KOVENOCK_DE_VRIES, SIX_DIGITS, Case, by_quadrature, known_cases
from allpay.verify.contests import Played, known_contests, played_contests

UNEQUAL = "two bidders who know each other's values"
QUADRATURE = "bid function written out, adaptive quadrature"
GRID = "theory's bids on a grid"
EXACT = "exact payoffs"
NO_GAIN = "an equilibrium leaves nothing to gain"
ONE_STEP = "theory; tolerance: a step of the grid for every bid paid"
CONTESTS = "contests"
"""The layer of formulas for contests as they are."""

PLAYED = "contests, played"
"""The layer of such contests as games: through theory, exact payoffs and a learner."""

LEARNED = 0.01
"""The part by which revenue of such a game may be off the closed form, its grid and its learning together."""

SAMPLED = 20_000
"""Auctions in which bidders who have learned such a game are seen to bid."""

ERRORS = 4
"""Standard errors by which a mean over sampled auctions may be off."""

AGAIN = 4
"""So many times the auctions are sampled, with another seed, where a mean is further off: among the hundreds of means of a full
run chance alone puts one there in every twentieth run, but not twice."""

NOTHING = 1 / 20
"""The part of half a step below which a gain counts as this part: there chance decides, by where bids fall between steps."""

DEEP_ROUNDS = 2
"""Rounds of learners with networks in the full form."""

PATIENCE = 20
"""Times as many iterations for a learner that is still learning when its own end."""

MIXING, GREEDY, CIRCLING = {"interior-point"}, {"epsilon-greedy"}, {"fictitious-play"}
"""Learners of which it is known how they end with a common value, where equilibria are mixtures: at one, whatever the prizes;
never, since greedy bidders do not mix; not where Π is concave, where they circle (measured). Of others both endings pass,
if their verdict says which."""


@dataclass(frozen=True)
class Check:
    """One number against what it ought to be.

    Attributes:
        family, point: the case, as in `Case`.
        layer: what computed the number: theory, payoffs, auctions or a learner's name.
        what: which number.
        value: it.
        expected: what it ought to be, or the least that it ought to be.
        tolerance: how far off it may be.
        source: where `expected` comes from.
        at_least: whether more than `expected` is fine.
    """

    family: str
    point: str
    layer: str
    what: str
    value: float
    expected: float
    tolerance: float
    source: str
    at_least: bool = False

    @property
    def error(self) -> float:
        """How far off the value is; NaN if there is none."""
        off = self.expected - self.value
        return max(off, 0.0) if self.at_least and not math.isnan(off) else abs(off)

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance  # not where the error is NaN

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "error": self.error, "passed": self.passed}


@dataclass(frozen=True)
class Report:
    """All checks.

    Attributes:
        checks: each.
        full: whether these are all points and the finer grids.
        seconds: how long they took.
    """

    checks: tuple[Check, ...]
    full: bool
    seconds: float

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    @property
    def sentence(self) -> str:
        bad = len(self.failures)
        if bad:
            return f"{bad} of {len(self.checks)} checks failed."
        return f"All {len(self.checks)} checks passed."


def verify(full: bool = False, seed: int = 0, reporter: Reporter | None = None) -> Report:
    """Run all checks.

    Args:
        full: finer grids, more designs and numbers of bidders, more auctions and rounds; minutes instead of seconds.
        seed: of learning and of sampled auctions.
        reporter: is told how far it is.
    """
    start, reporter = time.perf_counter(), reporter or Silent()
    cases, checks = known_cases(full), list[Check]()
    solved = [equilibrium(case.game) for case in cases]
    with reporter.stage(f"theory: {len(cases)} cases"):
        for case, found in zip(cases, solved, strict=True):
            checks += theory_checks(case, found)
    with reporter.stage("theory: contests as they are"):
        checks += contest_checks()
    known = [(case, found) for case, found in zip(cases, solved, strict=True) if found is not None]
    with reporter.stage("payoffs: theory's bids on finer and finer grids"):
        for i, (case, found) in enumerate(known):
            reporter.advance(i, len(known))
            checks += payoff_checks(case, found, (51, 101, 201, 401, 801) if full else (26, 51, 101, 201, 401))
        for values in ((1.0, 1.0), (2.0, 1.0), (1.0, 3.0)):
            checks += unequal_checks(*values, bid_levels=801)
    contests = list(played_contests(full))
    with reporter.stage(f"contests, played: {len(contests)} games"):
        for i, contest in enumerate(contests):
            reporter.advance(i, len(contests))
            checks += played_checks(contest, seed)
    with reporter.stage("sampled auctions"):
        for i, (case, found) in enumerate(known):
            reporter.advance(i, len(known))
            checks += auction_checks(case, found, 1_000_000 if full else 50_000, seed + i)
    for name in LEARNERS:
        if name in DEEP and not full:
            continue  # minutes, where the others take seconds
        if getattr(LEARNERS[name], "behaviour", ""):
            continue  # a model of what people bid, which is no equilibrium
        with reporter.stage(f"bidders learn: {name}"):
            rounds = (DEEP_ROUNDS if name in DEEP else 5) if full else 1
            checks += learner_checks(LEARNERS[name](), _learned(cases, full, name), rounds, seed, reporter)
    return Report(tuple(checks), full, time.perf_counter() - start)


def theory_checks(case: Case, found: Equilibrium | None) -> Iterator[Check]:
    """The equilibrium against the closed form and against quadrature of the bid function."""
    integrals = by_quadrature(case.game)
    for name, integral in zip(("revenue", "highest_bid"), integrals, strict=True):
        value, known = math.nan if found is None else getattr(found, name), getattr(case, name)
        what = name.replace("_", " ")
        if known is not None:
            yield Check(case.family, case.point, "theory", what, value, known.value, known.tolerance, case.source)
        yield Check(case.family, case.point, "theory", f"{what}, integrated", value, integral, SIX_DIGITS, QUADRATURE)
    if case.bid is not None:
        q = np.linspace(0, 1, 101)
        off = math.nan if found is None else float(np.abs(found.bid_at(q) - case.bid(q)).max())
        yield Check(case.family, case.point, "theory", "bids, furthest off", off, 0.0, SIX_DIGITS, case.source)


def contest_checks() -> Iterator[Check]:
    """Closed forms with absence, reserve, fee, unlike bidders and luck, against the numbers that are known."""
    for contest in known_contests():
        for number, value in contest.values():
            yield Check(
                contest.family,
                contest.point,
                CONTESTS,
                number.what,
                value,
                number.known.value,
                number.known.tolerance,
                contest.source,
            )


def played_checks(contest: Played, seed: int) -> Iterator[Check]:
    """A game as theory reads it, its bids in the exact payoffs of a grid, bidders who learn it, and auctions among them."""
    game, found = contest.game, equilibrium(contest.game)
    where = (contest.family, f"{contest.point}, {contest.learner.name}", PLAYED)
    known = contest.revenue
    revenue = math.nan if found is None else found.revenue
    yield Check(*where, "revenue", revenue, known.value, known.tolerance, contest.source)
    if found is not None:
        played = evaluate(game, on_grid(game, found))
        # the steps above the first, which may be up to a reserve
        half_cost, half_step = (np.diff(x)[..., 1:].max() / 2 for x in (game.cost_grids, game.bid_grid))
        yield Check(*where, "to gain on the grid", float(played.exploitability.max()), 0.0, float(half_cost), NO_GAIN)
        allowed = float(half_step) * sum(game.mechanism.payments)
        yield Check(*where, "revenue on the grid", played.revenue, known.value, allowed, GRID)
    outcome = contest.learner.learn([game], run_seeds(seed, 1, 1))
    left, learned = float(outcome.distance.max()), float(outcome.revenue.mean())
    yield Check(*where, "left to gain", left, 0.0, outcome.tolerance, NO_GAIN)
    yield Check(*where, "revenue learned", learned, known.value, LEARNED * known.value, contest.source)
    sample = play(game, outcome.strategy[0, 0], SAMPLED, seed).revenue
    rare = game.top_bid / SAMPLED  # what happens in fewer than one auction is not seen
    error = ERRORS * float(sample.std(ddof=1)) / math.sqrt(SAMPLED) + rare
    yield Check(*where, "revenue sampled", float(sample.mean()), learned, error, EXACT)


def payoff_checks(case: Case, found: Equilibrium, bid_levels: Sequence[int]) -> Iterator[Check]:
    """The exact payoffs of the grid, at the bids of theory: little to gain, ever less on finer grids, the same revenue.

    Ties cost what first order in the step allows: the bid 0 stands for all bids up to half a step, and wins against them
    as often as it loses, for nothing. Where low bids are rare, as with private values, less is lost.
    """
    gains, half_costs = np.empty(len(bid_levels)), np.empty(len(bid_levels))
    for i, levels in enumerate(bid_levels):
        game = case.on(levels, levels - 1)
        evaluation = evaluate(game, on_grid(game, found))
        gains[i] = evaluation.exploitability.mean()
        half_costs[i] = np.diff(game.costs).max() / 2
    where = (case.family, case.point, "payoffs")
    yield Check(*where, f"to gain, {bid_levels[-1]} bids", float(gains[-1]), 0.0, float(half_costs[-1]), NO_GAIN)
    counted = np.maximum(gains, half_costs * NOTHING)
    order = -float(np.polyfit(np.log(np.array(bid_levels) - 1), np.log(counted), 1)[0])
    yield Check(*where, "order of its fall", order, 1.0, 0.1, "first order in the step", at_least=True)
    step = float(game.bid_grid[1])
    half_step = step / 2 * sum(game.mechanism.payments)
    yield Check(*where, f"revenue, {bid_levels[-1]} bids", evaluation.revenue, found.revenue, half_step, GRID)
    yield Check(
        *where, f"highest bid, {bid_levels[-1]} bids", evaluation.highest_bid, found.highest_bid, step / 2, GRID
    )


def unequal_checks(v1: float, v2: float, bid_levels: int) -> Iterator[Check]:
    """Two bidders who know each other's values: revenue and payoffs in closed form, and the exact payoffs of their mixtures.

    The stronger bids uniformly up to the lower value, the weaker does so with probability low/high and else bids 0.
    """
    family, point = UNEQUAL, f"v = {v1:g}, {v2:g}"
    revenue, *payoffs = two_bidder_all_pay(v1, v2)
    low, high = min(v1, v2), max(v1, v2)
    expected = (low / 2 + low**2 / (2 * high), v1 - low, v2 - low)
    for what, value, known in zip(
        ("revenue", "payoff of the first", "payoff of the second"), (revenue, *payoffs), expected, strict=True
    ):
        yield Check(family, point, "theory", what, value, known, SIX_DIGITS, BAYE_KOVENOCK_DE_VRIES)
    values = tuple(sorted({v1, v2}))
    game = Game(all_pay(2), Private(Discrete(values), len(values)), bid_levels=bid_levels)
    borders = (game.bid_grid[1:] + game.bid_grid[:-1]) / 2
    uniform = np.diff(np.minimum(borders / low, 1.0), prepend=0.0, append=1.0)
    masses = [uniform * (low / v_other) + (1 - low / v_other) * (game.bid_grid == 0) for v_other in (v2, v1)]
    step = float(game.bid_grid[1])
    paid = sum(float(mass @ game.bid_grid) for mass in masses)
    yield Check(family, point, "payoffs", f"revenue, {bid_levels} bids", paid, revenue, step, GRID)
    for v, mine, rival in ((v1, masses[0], masses[1]), (v2, masses[1], masses[0])):
        worth = expected_payoffs(game, rival)[values.index(v)]
        yield Check(
            family, point, "payoffs", f"to gain at value {v:g}", float(worth.max() - mine @ worth), 0.0, step, NO_GAIN
        )


def auction_checks(case: Case, found: Equilibrium, auctions: int, seed: int) -> Iterator[Check]:
    """Sampled auctions at the bids of theory against the exact payoffs of the same grid."""
    game = case.on(101, 64)
    strategy = on_grid(game, found)
    exact = evaluate(game, strategy)

    def checks(auctions: int, seed: int) -> list[Check]:
        played = play(game, strategy, auctions, seed)
        return [
            Check(
                case.family,
                case.point,
                "auctions",
                f"{name.replace('_', ' ')}, sampled",
                float(sample.mean()),
                getattr(exact, name),
                ERRORS * float(sample.std(ddof=1)) / math.sqrt(auctions),
                EXACT,
            )
            for name, sample in (("revenue", played.revenue), ("highest_bid", played.highest_bid))
        ]

    first = checks(auctions, seed)
    yield from first if all(check.passed for check in first) else checks(AGAIN * auctions, seed + 1)


def _learned(cases: Sequence[Case], full: bool, learner: str) -> list[Case]:
    """The cases that bidders learn to play: some designs of three bidders, and where bids are lumpy, only those who can."""
    points = {"w = 0.5", "w = 0.6", "w = 0.8", "w = 1"} if full else {"w = 0.5", "w = 0.8"}
    able = learner in MIXING
    return [c for c in cases if c.game.bidders == 3 and c.point in points and (able or not c.lumpy)]


def learner_checks(
    learner: Learner, cases: Sequence[Case], rounds: int, seed: int, reporter: Reporter | None = None
) -> Iterator[Check]:
    """What bidders learn: whether they end where it is known that they do, and the revenue there.

    A learner with its own grid of values and bids plays on that. Where learning is known not to settle, a verdict that
    says so passes. One that is still learning when its iterations end is given more (`PATIENCE`), unless it has networks:
    these fit what they anneal to the iterations that they have.
    """
    games = [_for_learner(case, learner) for case in cases]
    alike = [[i for i, game in enumerate(games) if isinstance(game.values, kind)] for kind in (Private, Common)]
    done, outcomes = 0, dict[int, Outcome]()
    for chosen in alike:
        size = len(chosen) if learner.name in DEEP else 1  # those with networks train side by side
        for some in (chosen[i : i + size] for i in range(0, len(chosen), max(size, 1))):
            (reporter or Silent()).advance(done, len(cases))
            found = _learn_patiently(learner, [games[i] for i in some], run_seeds(seed, 1, rounds))
            outcomes |= dict(zip(some, found, strict=True))
            done += len(some)
    for i, case in enumerate(cases):
        yield from _outcome_checks(learner, case, games[i], outcomes[i])


def _learn_patiently(learner: Learner, games: Sequence[Game], seeds: Seeds) -> list[Outcome]:
    """An outcome for each game, all with the same seeds."""
    together = learner.learn(games, np.repeat(seeds, len(games), axis=0))
    found = [together.of(d) for d in range(len(games))]
    if learner.name in DEEP or not hasattr(learner, "iterations"):
        return found
    longer = replace(learner, iterations=PATIENCE * learner.iterations)  # type: ignore[type-var]
    return [
        longer.learn([game], seeds)
        if _settles(learner.name, game) and (outcome.verdicts == Verdict.STILL_LEARNING.value).any()
        else outcome
        for game, outcome in zip(games, found, strict=True)
    ]


def _outcome_checks(learner: Learner, case: Case, game: Game, outcome: Outcome) -> Iterator[Check]:
    settles = _settles(learner.name, game)
    where = (case.family, case.point, learner.name)
    left = float(outcome.relative_exploitability.max())
    said = ", ".join(sorted(set(outcome.verdicts.ravel().tolist())))
    if settles is False or (settles is None and not outcome.converged.all()):
        far = float(outcome.distance.max())
        yield Check(*where, f"left to gain ({said})", far, outcome.tolerance, 0.0, "known not to settle", at_least=True)
        return
    step = float(game.bid_grid[1])
    # a grid that is part of the game is coarse: half a step of it is more than the tolerance of a verdict
    most = outcome.tolerance if learner.continuous else max(outcome.tolerance, step / 2 / stake(game))
    yield Check(*where, f"left to gain ({said})", left, 0.0, most, NO_GAIN)
    found = equilibrium(game)
    if found is not None:
        allowed = step * sum(game.mechanism.payments)
        yield Check(*where, "revenue", float(outcome.revenue[0].mean()), found.revenue, allowed, ONE_STEP)


def _for_learner(case: Case, learner: Learner) -> Game:
    own = learner.setting
    values = case.game.values if case.game.values.exact else own.values
    return replace(case.game, values=values, bid_levels=own.bid_levels, overbidding=own.overbidding)


def _settles(learner: str, game: Game) -> bool | None:
    """Whether learning is known to end at an equilibrium of this game; None where that is not known."""
    if not isinstance(game.values, Common) or learner in MIXING:
        return True
    if learner in GREEDY:
        return False
    concave = bool(np.any(np.diff(game.mechanism.prizes, 2) < -1e-12))  # Bernstein coefficients of Π″
    if learner in CIRCLING:
        return not concave
    return None
