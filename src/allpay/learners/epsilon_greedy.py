"""Epsilon-greedy bidders: each keeps a table of value × bid with the mean of what a bid has brought, and mostly plays the best.

Every bidder learns on its own from the auctions it takes part in; this is a long chain of tiny steps, so it is one compiled
loop per run (Numba: on a core, 20–25 times what the same loop does as a JAX scan, see `benchmarks/epsilon_greedy.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numba import int64, njit, uint64
from numpy.typing import NDArray

from allpay.compiled import compiled
from allpay.contest.auction import (
    LEARNING,
    bid_key,
    fill,
    high_index,
    low_index,
    rank_of,
    stream,
    turn_up,
    utilities_by_rank,
)
from allpay.contest.game import Array, Game, Setting, check_expected_utility
from allpay.contest.payoffs import evaluate, exploitability
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners.base import CHECKPOINTS, Seeds, check_batch, check_count, check_tolerance, each_run, threads
from allpay.outcome import TOLERANCE, Outcome, fields_of, within
from allpay.scalars import plain_fields

BLOCK = 4096
"""For so many auctions at most random numbers are drawn at once, in games with more than bids."""

WORDS = 256
"""So many random words are made at once, on vector registers."""

UNROLLED = 6
"""Up to so many bidders go to the loop as a tuple: the compiler knows its length, and unrolls what is done for each."""


@dataclass(frozen=True)
class EpsilonGreedy:
    """Independent epsilon-greedy bandits, one arm per bid and one bandit per value (Sutton & Barto 2018, chapter 2).

    For the first `exploration` auctions bids are uniform over the allowed ones (epsilon is 1). Afterwards epsilon is ½ and
    halves every `halving` auctions. An estimate is the sample average of the utility that a bid has brought at a value.

    When exploration ends, what was seen of each bid counts as one observation (`restart`): the rivals of that phase bid at
    random and are gone, and thousands of observations of them would outweigh what the bidder sees from then on.

    This is the schedule of the public code behind the experiment that `allpay reproduce` repeats. Where that code differs:
    its estimate divides by one more than the count, which pulls estimates of rare bids to zero; every loser tied for second
    place pays, where ties here are broken at random; and its seed has no effect.

    Attributes:
        iterations: how many auctions a run has.
        exploration: how many of them explore.
        halving: after how many further auctions epsilon halves.
        restart: whether exploration counts as one observation of each bid when it ends.
        tail: the last auctions, over which realised revenue is averaged.
        tolerance: stop a run as soon as a checkpoint (32 evenly over the auctions after exploration) finds its distance
            from equilibrium at most this; None runs all auctions.
    """

    iterations: int = 2_000_000
    exploration: int = 400_000
    halving: int = 10_000
    restart: bool = True
    tail: int = 50_000
    tolerance: float | None = None

    name: ClassVar[str] = "epsilon-greedy"
    setting: ClassVar[Setting] = Setting(Private(levels=10), bid_levels=10, overbidding=False)
    continuous: ClassVar[bool] = False

    def __post_init__(self) -> None:
        plain_fields(self)
        check_count("iterations", self.iterations)
        if self.exploration < 0:
            raise AllpayError(f"exploration must not be negative: got {self.exploration}")
        check_count("exploration", self.exploration, least=0)
        if self.exploration >= self.iterations:
            raise AllpayError(
                f"exploration must be shorter than the run: got {self.exploration} of iterations {self.iterations}"
            )
        check_count("halving", self.halving)
        check_count("tail", self.tail)
        check_tolerance(self.tolerance)

    def bytes_needed(self, bidders: int, values: int, bids: int, runs: int, groups: int = 1) -> float:
        tables = 8 * bidders * values * bids  # two for each bidder, and the utilities, of which each group has its own
        return 4 * min(runs, threads()) * tables + (runs + groups - 1) * tables

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        played = self.iterations - self.exploration
        checkpoints = [self.exploration + max(1, k * played // CHECKPOINTS) for k in range(1, CHECKPOINTS + 1)]
        stops = sorted({*checkpoints, max(self.iterations - self.tail, self.exploration)} - {self.exploration})
        check_batch(games, seeds)
        for game in games:
            check_expected_utility(self.name, game)
        utilities = {id(game): utilities_by_rank(game) for game in games}

        def run(game: Game, seed: np.uint64):  # type: ignore[no-untyped-def]
            if not game.simple:
                return self._run_any(game, utilities[id(game)], seed, stops, checkpoints)
            shape = (game.bidders, len(game.value_grid), game.bid_levels)
            tables = (np.zeros((*shape, 2)), np.zeros(shape[:2], np.int64), np.zeros(shape[:2]))
            bidders = tuple(range(game.bidders)) if game.bidders <= UNROLLED else np.arange(game.bidders)
            worth = utilities[id(game)][0, ..., :-1]
            paying = np.outer(game.bid_grid, np.asarray(game.mechanism.payments))
            known = np.stack([worth, np.broadcast_to(paying, worth.shape)], axis=-1)
            state, step = stream(int(seed), LEARNING)
            state = _explore(state, step, *tables, bidders, known, game.allowed, self.exploration, self.restart)
            history, parts, t = [], [], self.exploration
            for stop in stops:
                state, paid, top = _exploit(
                    np.uint64(state),
                    step,
                    *tables,
                    bidders,
                    known,
                    game.allowed,
                    game.bid_grid,
                    t - self.exploration,
                    stop - self.exploration,
                    self.halving,
                )
                parts.append((stop - t, paid, top))
                t = stop
                if stop in checkpoints:
                    profile = (tables[1][..., None] == np.arange(game.bid_levels)).astype(float)
                    # a run with fewer auctions than checkpoints has some of them at the same auction
                    history += [exploitability(game, profile).mean()] * checkpoints.count(stop)
                    if within(game, profile, history[-1], self.tolerance):
                        break
            return profile, evaluate(game, profile), _mean_of_tail(parts, self.tail), history, t

        runs = each_run(run, games, seeds)
        histories = np.full((*seeds.shape, CHECKPOINTS), np.nan)
        for d, row in enumerate(runs):
            for r, found in enumerate(row):
                histories[d, r, : len(found[3])] = found[3]
        iterations = np.array([[r[4] for r in row] for row in runs])
        return Outcome(
            games=tuple(games),
            learner=self.name,
            strategy=np.array([[r[0] for r in row] for row in runs]),
            **fields_of(games, [[r[1] for r in row] for row in runs]),
            realised_revenue=np.array([[r[2][0] for r in row] for row in runs]),
            realised_highest_bid=np.array([[r[2][1] for r in row] for row in runs]),
            history=histories,
            iterations=iterations,
            auctions=int(iterations.sum()),
            tolerance=self.tolerance or TOLERANCE,
        )

    def _run_any(self, game: Game, utilities: Array, seed: np.uint64, stops: list[int], checkpoints: list[int]):  # type: ignore[no-untyped-def]
        """A run in a game with luck, groups, absence or staying out: the same schedule, its random numbers drawn in blocks."""
        random = np.random.default_rng(int(seed))
        n, levels = game.bidders, game.bid_levels
        which = np.repeat(np.arange(len(game.groups)), game.counts)
        limits = game.limits[which]
        shape = (n, game.value_levels, levels)
        tables = (np.zeros((*shape, 2)), np.zeros(shape[:2], np.int64), np.zeros(shape[:2]))
        table, best, _ = tables
        scores = game.mechanism.success.scores(game.efforts)
        rules = _Rules(
            which, utilities, limits, np.asarray(game.mechanism.payments), game.bid_grid, scores,
            int(game.mechanism.may_stay_out), int(game.mechanism.ties != "random"),
        )  # fmt: skip
        history: list[float] = []
        parts: list[tuple[int, float, float]] = []
        t = 0
        for stop in [self.exploration, *stops]:
            paid = top = 0.0
            begun = t
            while t < stop:
                # epsilon is the same within a block
                phase = max(t - self.exploration, 0) // self.halving
                ends = self.exploration + (phase + 1) * self.halving if t >= self.exploration else self.exploration
                size = min(stop, ends, t + BLOCK) - t
                epsilon = 0.5 ** (1 + phase) if t >= self.exploration else 1.0
                value = random.integers(game.value_levels, size=(size, n))
                tries = random.random((size, n)) < epsilon
                pick = (random.random((size, n)) * limits[np.arange(n), value]).astype(np.int64)
                luck = game.mechanism.success.noise(random, (size, n))
                there = turn_up(game, size, random)
                more_paid, more_top = _block(*tables, rules, value, tries, pick, luck, random.random((size, n)), there)
                paid, top, t = paid + more_paid, top + more_top, t + size
            if stop == self.exploration:
                if self.restart:
                    table[..., 1] = np.minimum(table[..., 1], 1.0)
                continue
            parts.append((stop - begun, paid, top))
            if stop in checkpoints:
                profile = (best[..., None] == np.arange(levels)).astype(float)
                history += [exploitability(game, profile).mean()] * checkpoints.count(stop)
                if within(game, profile, history[-1], self.tolerance):
                    break
        return profile, evaluate(game, profile), _mean_of_tail(parts, self.tail), history, t


class _Rules(NamedTuple):
    """What a block of auctions of any game needs: of which group each bidder is `[bidders]`, utilities `[groups, values, bids,
    ranks + 1]`, the last for those without a rank, limits `[bidders, values]`, payments `[ranks]`, bids `[bids]`, scores
    `[groups, bids]`, whether the first bid is to stay out, and whether losers who tie for second pay as second."""

    which: NDArray[np.int64]
    utilities: Array
    limits: NDArray[np.int64]
    payments: Array
    bids: Array
    scores: Array
    out: int
    seconds: int


def _mean_of_tail(parts: list[tuple[int, float, float]], tail: int) -> tuple[float, float]:
    """Mean revenue and highest bid over the last stretches of a run, as few as hold `tail` auctions (or over all)."""
    auctions, paid, top = 0, 0.0, 0.0
    for length, stretch_paid, stretch_top in reversed(parts):
        auctions, paid, top = auctions + length, paid + stretch_paid, top + stretch_top
        if auctions >= tail:
            break
    return paid / auctions, top / auctions


@compiled
def _block(table, best, runner_up, rules, value, tries, pick, luck, ties, there):  # type: ignore[no-untyped-def]
    """Auctions whose random numbers are given, each `[auctions, bidders]`, on the tables of `_explore`; returns the sums of
    revenue and of highest bids."""
    auctions, n = value.shape
    cells, (_, values, levels, _) = table.reshape(-1), table.shape
    bid, enters, score = np.zeros(n, np.int64), np.zeros(n, np.bool_), np.zeros(n)
    paid = top = 0.0
    for t in range(auctions):
        highest = 0.0
        for i in range(n):
            v = value[t, i]
            bid[i] = pick[t, i] if tries[t, i] else best[i, v]
            enters[i] = there[t, i] and not (rules.out and bid[i] == 0)
            if enters[i]:
                score[i] = rules.scores[rules.which[i], bid[i]] + luck[t, i]
                highest = max(highest, rules.bids[bid[i]])
        top += highest
        for i in range(n):
            if not there[t, i]:
                continue
            v, b, rank = value[t, i], bid[i], n
            if enters[i]:
                rank = above = 0
                for j in range(n):
                    if enters[j] and j != i:
                        over = score[j] > score[i]
                        above += over
                        rank += over or (score[j] == score[i] and ties[t, j] < ties[t, i])
                if rules.seconds and rank > 0:
                    rank = 1 if above <= 1 else 2
                paid += rules.payments[rank] * rules.bids[b]
            table[i, v, b, 1] += 1.0
            new = (
                table[i, v, b, 0]
                + (rules.utilities[rules.which[i], v, b, rank] - table[i, v, b, 0]) / table[i, v, b, 1]
            )
            table[i, v, b, 0] = new
            if b == best[i, v]:
                if new < runner_up[i, v]:
                    row = uint64(2 * (i * values + v) * levels)
                    best[i, v], runner_up[i, v] = _two_best(cells, row, rules.limits[i, v], best[i, v])
            elif new > table[i, v, best[i, v], 0]:
                runner_up[i, v] = table[i, v, best[i, v], 0]
                best[i, v] = b
            elif new > runner_up[i, v]:
                runner_up[i, v] = new
    return paid, top


@compiled
def _explore(state, step, table, best, runner_up, bidders, known, allowed, auctions, restart):  # type: ignore[no-untyped-def]
    """Auctions in which all bids are random; fills the bidders' tables and returns the state of the random stream.

    State and step are those of `auction.stream`.

    Shapes: table `[bidders, values, bids, 2]` the mean of what a bid has brought, and of how many auctions; best, the index of
    the bid of highest mean, and runner_up, which is at least the mean of every other bid, `[bidders, values]`; known
    `[values, bids, ranks, 2]` utility and payment. What is used together lies together: that halves the places to keep in mind.
    """
    n, (_, values, levels, _) = len(bidders), table.shape
    cells, worth = table.reshape(-1), known.reshape(-1)
    key, place = np.zeros(n, np.int64), np.zeros(n, np.uint64)
    words = np.empty(WORDS + 2 * n, np.uint64)
    used, state = uint64(WORDS), state - step * uint64(WORDS)
    for _ in range(auctions):
        if used >= uint64(WORDS):
            state += step * used
            fill(words, state, step)
            used = uint64(0)
        for i in range(n):
            bits = words[used]
            v = uint64(high_index(bits, values))
            b = uint64(low_index(bits, allowed[v]))
            key[i], place[i] = bid_key(int64(b), words[used + uint64(1)], i, n), v * uint64(levels) + b
            used += uint64(2)
        for i in range(n):
            # While all bids are random nobody asks for the averages: sums will do.
            at = place[i]
            cell = uint64(2) * (uint64(i * values * levels) + at)
            cells[cell] += worth[uint64(2) * (at * uint64(n) + uint64(rank_of(i, key, n)))]
            cells[cell + uint64(1)] += 1.0
    for i in range(n):
        for v in range(values):
            for b in range(allowed[v]):
                if table[i, v, b, 1] > 0:
                    table[i, v, b, 0] /= table[i, v, b, 1]
                    if restart:
                        table[i, v, b, 1] = 1.0
            row = uint64(2 * (i * values + v) * levels)
            best[i, v], runner_up[i, v] = _two_best(cells, row, allowed[v], best[i, v])
    return state + step * used


@compiled
def _exploit(  # type: ignore[no-untyped-def]
    state, step, table, best, runner_up, bidders, known, allowed, bids, first, last, halving
):
    """Auctions first…last−1 after exploration, on the tables of `_explore`.

    Returns the state of the random stream, and the sums of revenue and of the highest bids.
    """
    n, (_, values, levels, _) = len(bidders), table.shape
    # Flat tables and unsigned places in them: a number that may be negative is looked at before it is used as an index.
    cells, worth, chosen, second = table.reshape(-1), known.reshape(-1), best.reshape(-1), runner_up.reshape(-1)
    key, rank = np.zeros(n, np.int64), np.zeros(n, np.uint64)
    seen = np.zeros(2 * n, np.uint64)  # value and bid of each
    words = np.empty(WORDS + 3 * n, np.uint64)
    used, state = uint64(WORDS), state - step * uint64(WORDS)
    paid = top = 0.0
    t = first
    while t < last:
        stop = min(last, (t // halving + 1) * halving)  # epsilon is the same up to there
        threshold = uint64(0.5 ** (1 + t // halving) * 2.0**32)
        for _ in range(t, stop):
            if used >= uint64(WORDS):
                state += step * used
                fill(words, state, step)
                used = uint64(0)
            highest = uint64(0)
            for i in range(n):
                bits = words[used]
                used += uint64(1)
                v = uint64(high_index(bits, values))
                b = uint64(chosen[uint64(i * values) + v])
                if threshold > 0:
                    tries = words[used]
                    used += uint64(1)
                    if (tries >> uint64(32)) < threshold:
                        b = uint64(low_index(tries, allowed[v]))
                        bits = words[used]
                        used += uint64(1)
                highest = max(highest, b)
                key[i], seen[2 * i], seen[2 * i + 1] = bid_key(int64(b), bits, i, n), v, b
            top += bids[highest]
            for i in range(n):  # alone, so that it is done on vector registers where bidders are many
                rank[i] = uint64(rank_of(i, key, n))
            for i in range(n):
                v, b = seen[2 * i], seen[2 * i + 1]
                at, row = uint64(i * values) + v, uint64(2) * (uint64(i * values) + v) * uint64(levels)
                cell = row + uint64(2) * b
                found = uint64(2) * ((v * uint64(levels) + b) * uint64(n) + rank[i])
                paid += worth[found + uint64(1)]
                times = cells[cell + uint64(1)] + 1.0
                cells[cell + uint64(1)] = times
                new = cells[cell] + (worth[found] - cells[cell]) / times
                cells[cell] = new
                now = uint64(chosen[at])
                if b == now:
                    if new < second[at]:
                        chosen[at], second[at] = _two_best(cells, row, allowed[v], chosen[at])
                elif new > cells[row + uint64(2) * now]:
                    second[at] = cells[row + uint64(2) * now]
                    chosen[at] = int64(b)
                elif new > second[at]:
                    second[at] = new
        t = stop
    return state + step * used, paid, top


@njit(inline="always")
def _two_best(cells, row, count, best):  # type: ignore[no-untyped-def]
    """Of a row of means, which begins at a place in flat tables, the index of the largest and the second largest number.

    Among equals `best` stays, else it is the first: what a bidder plays never depends on how old a runner-up is.
    """
    begin, first, second = best, cells[row + uint64(2) * uint64(best)], -np.inf
    for b in range(count):
        mean = cells[row + uint64(2) * uint64(b)]
        if mean > first:
            second, first, best = first, mean, b
        elif mean > second and b != begin:
            second = mean
    return best, second
