"""What learners share: the protocol they follow, the seeds of their runs, the threads that the runs take, the outcome of runs
that end with a strategy, and what a learner on exact payoffs with one strategy for all bidders does before its loop.

A learner that is one compiled loop over a run needs no batch dimension inside: runs are independent, so each is one call
that releases the interpreter lock. What a run computes cannot depend on the batch it is in, nor on the number of threads.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from allpay.contest.auction import MOST_AUCTIONS, Played, check_auctions, play
from allpay.contest.game import Array, Game, Setting, check_game
from allpay.contest.payoffs import Evaluation, Payoffs, as_strategy, evaluate, exploitability, payoffs_of
from allpay.cores import cores
from allpay.errors import AllpayError, exactly, short
from allpay.memory import check_memory
from allpay.outcome import TOLERANCE, Goal, Outcome, distance_of, fields_of, goal_of, within
from allpay.progress import advance
from allpay.scalars import plain_fields, real, whole

Seeds = NDArray[np.uint64]
Result = TypeVar("Result")

THREADS = "ALLPAY_THREADS"
"""The environment variable that sets how many threads a process uses; without it, as many as it has cores."""

PATIENCE = 0.2
"""After so many seconds a wait for threads looks whether the program was asked to end."""

MOST_ROUNDS = 100_000
"""More rounds than this are refused: means over them would be finer than any grid."""

MOST_ITERATIONS = 1_000_000_000
"""More iterations than this are refused: a run of them takes from hours to weeks."""

MOST_SEED = 2**128 - 1
"""Seeds are at most this: the generator of seeds tells no others apart."""

MOST_POWER = 30.0
"""Powers of the number of an iteration are at most this: beyond, sums of them are above what a float can hold."""

MOST_LEARNERS = 10_000
"""More bidders than this are refused where payoffs are exact: the time for them grows faster than their square."""

CHECKPOINTS = 32
"""How many times along a run exploitability is recorded."""

AUCTIONS = 50_000
"""How many fresh auctions are sampled with learned strategies, unless the learner says."""

FIELDS_BY_RUN = (
    "revenue",
    "highest_bid",
    "realised_revenue",
    "realised_highest_bid",
    "exploitability",
    "payoff",
    "distance",
    "iterations",
)
"""The fields of an outcome that have one number for each run."""


class Learner(Protocol):
    """A way to learn how to bid: hyperparameters as fields of a frozen dataclass, and one method."""

    name: ClassVar[str]
    """The name that the command line and the tables use."""

    setting: ClassVar[Setting]
    """The setting that it is given where the user asks for no other."""

    continuous: ClassVar[bool]
    """Whether the bid grid stands for continuous bids, and can be refined, or is a part of the bidders' world."""

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        """Let bidders learn in every game.

        Args:
            games: `[designs]` games of one shape: as many bidders, values and bids each.
            seeds: `[designs, rounds]` one per run; equal seeds give equal runs, in any batch.
        """
        ...


class Resumable(Learner, Protocol):
    """A learner whose runs are long enough to be kept while they last."""

    resumable: ClassVar[bool]
    """True. A learner without it is given no checkpoint."""

    def learn(self, games: Sequence[Game], seeds: Seeds, checkpoint: Path | None = None) -> Outcome:
        """Let bidders learn in every game, see `Learner`.

        Args:
            games, seeds: see `Learner`.
            checkpoint: a file in which the runs are kept now and then, in a folder that exists; what an interrupted call
                of the same games and seeds has left there is gone on with, to the same bits. It is the caller's to delete.
        """
        ...


class Behavioural(Learner, Protocol):
    """A model of what people bid, which is not an equilibrium: its strategies are held against what it says itself."""

    behaviour: ClassVar[str]
    """What its strategies are, as "a logit equilibrium". A learner without it is held against an equilibrium."""

    def residual(self, game: Game, strategy: Array) -> float:
        """How far strategies `[groups, values, bids]` are from what the model says: of the group and value where that is
        most, the part of bids that would have to be others."""
        ...


def distance_to(learner: Learner, game: Game, strategy: Array, found: Evaluation) -> float:
    """How far a profile, which was evaluated, is from what its learner is after: an equilibrium, or what its model says."""
    if getattr(learner, "behaviour", ""):
        return cast(Behavioural, learner).residual(game, strategy)
    return distance_of(game, found)


def run_seeds(seed: int, designs: int | Sequence[int], rounds: int, stream: int = 0) -> Seeds:
    """`[designs, rounds]` seeds of runs, each a function of (seed, stream, design, round) alone.

    Args:
        seed: the user's seed, ≥ 0.
        designs: how many designs, or their indices.
        rounds: how many rounds.
        stream: another stream gives other seeds: what a study trains on and what checks it must not share one.
    """
    check_seed(seed)
    seed, rounds = whole("seed", seed), whole("rounds", rounds)
    check_count("stream", stream, least=0)
    if rounds != 0:
        check_rounds(rounds)
    if isinstance(designs, (str, bytes)):
        raise AllpayError(f"designs must be a number, or the numbers of some: got {short(designs)}")
    if not isinstance(designs, Sequence):
        check_count("designs", designs, least=0, most=1_000_000)
        designs = range(whole("designs", designs))
    indices = [whole("the number of a design", d) for d in designs]
    for d in indices:
        check_count("the number of a design", d, least=0)
    return np.array(
        [
            [
                np.random.SeedSequence(seed, spawn_key=(stream, d, r)).generate_state(1, np.uint64)[0]
                for r in range(rounds)
            ]
            for d in indices
        ],
        np.uint64,
    ).reshape(len(indices), rounds)


def usual_bytes(bidders: int, values: int, bids: int, runs: int, groups: int = 1) -> float:
    """About how many bytes all runs of one design take at once, if the bidders of a group share a strategy and learn on exact
    payoffs.

    A learner that takes more says so by a method `bytes_needed` of these five numbers.
    """
    return 8 * groups * values * bids * (runs + 12 * min(runs, threads()) + 4)


def check_room(learner: Learner, bidders: int, values: int, bids: int, rounds: int, groups: int = 1) -> None:
    """Raise AllpayError if the rounds of one design take more memory than there may be.

    A table of numbers for every round, value and bid is kept in any case.
    """
    needed = getattr(learner, "bytes_needed", usual_bytes)(bidders, values, bids, rounds, groups)
    who = f"{bidders:,}{f' in {groups} groups' if groups > 1 else ''}"
    check_memory(
        needed,
        f"{learner.name} with rounds {rounds:,} of bidders {who}, value levels {values:,} and bid levels {bids:,}",
        "give fewer of these",
    )


@np.errstate(under="ignore")  # whatever the user has set: a probability of 1e-400 is 0
def learn(game: Game, learner: Learner | str = "fictitious-play", rounds: int = 10, seed: int = 0) -> Outcome:
    """Independent rounds of learning in one game; the outcome's first dimension has length 1.

    Args:
        game: what is played.
        learner: who bids, or its name, as `"ppo"`.
        rounds: how often it is learned anew.
        seed: the same seed gives the same outcome.

    Raises:
        AllpayError: if there is no learner of that name, or one of these is out of its bounds.
    """
    check_game(game)
    learner = as_learner(learner)
    rounds = check_rounds(rounds)
    check_room(learner, game.bidders, game.value_levels, game.bid_levels, rounds, len(game.groups))
    return outcome_from(learner, [game], run_seeds(seed, 1, rounds))


def outcome_from(learner: Learner, games: Sequence[Game], seeds: Seeds, checkpoint: Path | None = None) -> Outcome:
    """What a learner, perhaps somebody else's, returns for these games and seeds; it may keep its runs if it can.

    Raises:
        AllpayError: if that is no outcome of them, the seeds are no longer what they were, or it tries to end the program.
    """
    keeping = {} if checkpoint is None else {"checkpoint": checkpoint}
    given = seeds.copy()
    try:
        outcome = learner.learn(games, seeds, **keeping)
    except SystemExit as error:
        raise AllpayError(
            f"{learner.name} tried to end the program: a learner returns an outcome or raises an error"
        ) from error
    if not np.array_equal(seeds, given):
        raise AllpayError(f"{learner.name}: seeds must be left as they are: learning has changed them")
    check_outcome(outcome, learner, games, seeds)
    return outcome


def check_rounds(rounds: int) -> int:
    """How many rounds there are, as a plain number.

    Raises:
        AllpayError: unless so many can be run.
    """
    rounds = whole("rounds", rounds)
    if rounds < 1:
        raise AllpayError(f"rounds must be at least 1: got {rounds}")
    if rounds > MOST_ROUNDS:
        raise AllpayError(f"rounds must be at most {MOST_ROUNDS:,}: got {rounds:,}; give fewer")
    return rounds


PROTOCOL = {
    "name": (str, 'a text, as name: ClassVar[str] = "my-learner"'),
    "setting": (Setting, "who bids for what, as setting: ClassVar[Setting] = Setting()"),
    "continuous": (bool, "whether the bid grid stands for continuous bids, as continuous: ClassVar[bool] = True"),
}
"""What a learner has beside its method: of which type, and what it is, in words."""


def as_learner(given: Learner | str) -> Learner:
    """A learner, which may be given by its name.

    Raises:
        AllpayError: if there is none of that name, or it does not follow the protocol.
    """
    if isinstance(given, str):
        from allpay.learners import learner

        return learner(given)
    check_learner(given)
    return given


def check_learner(learner: object) -> None:
    """Raise AllpayError unless it follows the protocol; a class is told what to give instead."""
    if isinstance(learner, type):
        raise AllpayError(f"{learner.__name__} is a class: call it, as {learner.__name__}()")
    if not callable(getattr(learner, "learn", None)):
        raise AllpayError(f"a learner is needed: got {short(learner)}; give one, as FictitiousPlay()")
    for attribute, (kind, words) in PROTOCOL.items():
        given = getattr(learner, attribute, None)
        if not isinstance(given, kind):
            raise AllpayError(f"{type(learner).__name__}.{attribute} must be {words}: got {short(given)}")


def check_outcome(outcome: object, learner: Learner, games: Sequence[Game], seeds: Seeds) -> None:
    """Raise AllpayError unless this can be the outcome of these games and seeds: its shapes, and numbers within their bounds.

    Whether the figures are those of the strategies takes longer to find out: `conformance` does.
    """
    name = learner.name
    if not isinstance(outcome, Outcome):
        raise AllpayError(f"{name} must return an Outcome: got {short(outcome)}; `outcome_of` makes one")
    _check_shapes(outcome, name, games[0], seeds.shape)
    if outcome.games != tuple(games):
        raise AllpayError(f"{name}: games must be those that were learned, in their order")
    if outcome.learner != name:
        raise AllpayError(f"{name}: learner must be the name of the learner: got {short(outcome.learner)}")
    for field in (*FIELDS_BY_RUN, "strategy"):
        numbers = getattr(outcome, field)
        if not np.all(np.isfinite(numbers)):
            raise AllpayError(f"{name}: {field} must be finite: got {numbers[~np.isfinite(numbers)].flat[0]}")
    if outcome.iterations.dtype.kind not in "iu" or np.any(outcome.iterations < 1):
        raise AllpayError(f"{name}: iterations must be whole numbers, at least 1: got {outcome.iterations.flat[0]!r}")
    _check_number(name, "auctions", outcome.auctions, Integral, at_least=0)
    _check_number(name, "tolerance", outcome.tolerance, Real, above=0)
    for d, game in enumerate(games):
        together = game.top_bid * sum(game.mechanism.payments)
        for field, most in (
            ("revenue", together),
            ("highest_bid", game.top_bid),
            ("realised_revenue", together),
            ("realised_highest_bid", game.top_bid),
            ("exploitability", math.inf),
        ):
            low, high = getattr(outcome, field)[d].min(initial=0), getattr(outcome, field)[d].max(initial=0)
            if low < 0 or high > most * (1 + 1e-6):
                found = low if low < 0 else high
                raise AllpayError(f"{name}: {field} must lie in [0, {most:g}]: got {exactly(found)}")
        for r in range(seeds.shape[1]):
            _check_round(outcome, game, d, r)


def _check_shapes(outcome: Outcome, name: str, game: Game, runs: tuple[int, ...]) -> None:
    """Raise AllpayError unless all fields are arrays of numbers, and of the right shape."""
    for field in (*FIELDS_BY_RUN, "strategy", "history"):
        array = getattr(outcome, field)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            kind = f"an array of {array.dtype}" if isinstance(array, np.ndarray) else short(array)
            raise AllpayError(f"{name}: {field} must be a NumPy array of numbers: got {kind}")
        if field in FIELDS_BY_RUN and array.shape != runs:
            raise AllpayError(f"{name}: {field} must have the shape [designs, rounds] = {runs}: got {array.shape}")
    groups, bidders, values, bids = len(game.groups), game.bidders, game.value_levels, game.bid_levels
    shape = outcome.strategy.shape
    if shape not in {(*runs, groups, values, bids), (*runs, bidders, values, bids)}:
        wanted = (*runs, f"{groups} or {bidders}", values, bids)
        raise AllpayError(
            f"{name}: strategy must have the shape [designs, rounds, groups or bidders, values, bids] = "
            f"({', '.join(map(str, wanted))}): got {shape}"
        )
    shape = outcome.history.shape
    if shape[:-1] != runs:
        raise AllpayError(
            f"{name}: history must have the shape [designs, rounds, checkpoints] = "
            f"({runs[0]}, {runs[1]}, …): got {shape}"
        )


def _check_number(name: str, field: str, given: Any, kind: type, above: float = -1, at_least: float = 0) -> None:
    number: Any = given if isinstance(given, kind) and not isinstance(given, bool) else math.nan
    if not (above < number < math.inf and number >= at_least):
        bound = f"above {above:g}" if above >= 0 else f"at least {at_least:g}"
        raise AllpayError(f"{name}: {field} must be {bound}: got {short(given)}")


def _check_round(outcome: Outcome, game: Game, d: int, r: int) -> None:
    """Raise AllpayError unless a run has strategies of its game, and a history that can be one."""
    try:
        as_strategy(game, outcome.strategy[d, r])
    except AllpayError as error:
        raise AllpayError(f"{outcome.learner}: in design {d}, round {r}: {error}") from None
    history = outcome.history[d, r]
    known = np.isfinite(history)
    if (
        not known.any()
        or np.any(np.diff(known.astype(int)) > 0)
        or np.any(history[known] < 0)
        or np.any(np.isinf(history))
    ):
        raise AllpayError(
            f"{outcome.learner}: in design {d}, round {r}: history must be exploitabilities, one at least, and NaN only after "
            f"the run has ended: got {short(history.tolist())}"
        )


def check_batch(games: Sequence[Game], seeds: Seeds) -> None:
    """Raise AllpayError if the games are not of one shape, have too many bidders, or not one row of seeds each."""
    for game in games:
        check_game(game)
    if not isinstance(seeds, np.ndarray) or seeds.dtype.kind not in "iu":
        raise AllpayError(f"seeds must be an array of whole numbers, as of run_seeds: got {short(seeds)}")
    if np.any(seeds < 0):
        raise AllpayError(f"seeds must be at least 0, as those of run_seeds: got {seeds.min()}")
    most = max((game.bidders for game in games), default=0)
    if most > MOST_LEARNERS:
        raise AllpayError(f"bidders who learn must be at most {MOST_LEARNERS:,}: got {most:,}; theory takes more")
    if seeds.ndim != 2 or len(seeds) != len(games):
        raise AllpayError(
            f"seeds must be [designs, rounds], one row per game: got {seeds.shape} for {len(games)} games"
        )
    shapes = {(game.bidders, len(game.groups), game.value_levels, game.bid_levels) for game in games}
    if len(shapes) > 1:
        raise AllpayError(
            f"games of one batch must have as many bidders, groups, values and bids each: got {sorted(shapes)}"
        )


_most_threads: ContextVar[int | None] = ContextVar("most_threads", default=None)


@contextmanager
def threads_limited(most: int | None) -> Iterator[None]:
    """Let runs take at most so many threads here; None leaves the limit that there is."""
    token = _most_threads.set(_most_threads.get() if most is None else most)
    try:
        yield
    finally:
        _most_threads.reset(token)


def threads() -> int:
    """How many threads runs may take here.

    Raises:
        AllpayError: if the environment asks for a number that is none.
    """
    given = os.environ.get(THREADS, "").strip()
    if given and not (given.isdecimal() and 1 <= len(given) <= 4 and int(given) >= 1):
        raise AllpayError(f"{THREADS} must be a whole number from 1 to 9999: got {short(given)}; set it, or unset it")
    return _most_threads.get() or (int(given) if given else cores())


def each_run(function: Callable[[Game, np.uint64], Result], games: Sequence[Game], seeds: Seeds) -> list[list[Result]]:
    """`function(game, seed)` for every run, `[designs][rounds]`, on as many threads as there are cores.

    Raises:
        AllpayError: if the games are not of one shape, or there is not one row of seeds for each.
    """
    check_batch(games, seeds)
    pool = ThreadPoolExecutor(threads())
    try:
        futures = [pool.submit(function, game, s) for game, row in zip(games, seeds, strict=True) for s in row]
        results = []
        for future in futures:
            while not future.done():  # a wait without end need not hear a Ctrl-C: Polars has signals restart it
                wait([future], PATIENCE)
            results.append(future.result())
            advance(len(results), len(futures))
    except BaseException:  # a Ctrl-C, say: runs that have begun end by themselves, and nobody waits for them
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return [results[d * seeds.shape[1] : (d + 1) * seeds.shape[1]] for d in range(len(games))]


class Learned(NamedTuple):
    """What a run ends with: the strategy `[1 or bidders, values, bids]`, the exploitability along it `[checkpoints]`, NaN
    after it ended, and the iterations that it took."""

    strategy: Array
    history: Array
    iterations: int


def outcome_of(
    learner: Learner,
    games: Sequence[Game],
    seeds: Seeds,
    run: Callable[[Game, np.uint64], Iterable[Array]],
    auctions: int = AUCTIONS,
) -> Outcome:
    """The outcome of a learner that only says how a run goes: `learn` can be this one call.

    Strategies are evaluated exactly, and `auctions` fresh ones are sampled with what was learned. Runs share out the threads,
    so `run` must not change anything but its own variables. A learner with a field `tolerance` that is not None stops at the
    first iteration within it (see `outcome.distance`).

    Args:
        learner: whose outcome it is.
        games: `[designs]`, as in `Learner.learn`.
        seeds: `[designs, rounds]`.
        run: from a game and a seed to the strategies `[1 or bidders, values, bids]` of bidders after each iteration, the
            last of which is what they have learned: a generator, or a list of one.
        auctions: how many to sample for the realised revenue of a run.

    Raises:
        AllpayError: if games or seeds do not fit together, a run has no strategies, or one is no strategy of the game.
    """
    tolerance: float | None = getattr(learner, "tolerance", None)
    auctions = check_auctions(auctions)
    check_batch(games, seeds)

    def taken(game: Game, seed: np.uint64) -> Learned:
        gains: list[float] = []
        steps = run(game, seed)
        if not isinstance(steps, Iterable):
            raise AllpayError(f"a run of {learner.name} must yield strategies or return a list of them: got {steps!r}")
        for step in steps:
            strategy = as_strategy(game, step)
            gains.append(float(exploitability(game, strategy).mean()))
            if within(game, strategy, gains[-1], tolerance):
                break
        if not gains:
            raise AllpayError(f"a run of {learner.name} gave no strategy: yield or return one at least")
        kept = min(CHECKPOINTS, len(gains))
        history = np.full(CHECKPOINTS, np.nan)
        history[:kept] = [gains[len(gains) * (k + 1) // kept - 1] for k in range(kept)]
        return Learned(np.array(strategy), history, len(gains))

    return outcome_of_runs(learner, games, seeds, taken, auctions, tolerance)


def outcome_of_runs(
    learner: Learner,
    games: Sequence[Game],
    seeds: Seeds,
    run: Callable[[Game, np.uint64], Learned],
    auctions: int,
    tolerance: float | None,
) -> Outcome:
    """The outcome of runs, each a function of its game and seed, whose histories are of one length."""

    def judged(game: Game, seed: np.uint64) -> tuple[Learned, Evaluation, Played, float]:
        learned = run(game, seed)
        found = evaluate(game, learned.strategy)
        far = distance_to(learner, game, learned.strategy, found)
        return learned, found, play(game, learned.strategy, auctions, int(seed)), far

    runs = each_run(judged, games, seeds)
    if len({run[0].strategy.shape for row in runs for run in row}) > 1:
        raise AllpayError(f"{learner.name}: strategies must be one for all bidders, or one for each, in every run")
    fields = fields_of(games, [[exact for _, exact, _, _ in row] for row in runs])
    fields["distance"] = np.array([[far for _, _, _, far in row] for row in runs])
    return Outcome(
        games=tuple(games),
        learner=learner.name,
        strategy=np.array([[learned.strategy for learned, _, _, _ in row] for row in runs]),
        **fields,
        realised_revenue=np.array([[played.revenue.mean() for _, _, played, _ in row] for row in runs]),
        realised_highest_bid=np.array([[played.highest_bid.mean() for _, _, played, _ in row] for row in runs]),
        history=np.array([[learned.history for learned, _, _, _ in row] for row in runs]),
        iterations=np.array([[learned.iterations for learned, _, _, _ in row] for row in runs]),
        auctions=seeds.size * auctions,
        tolerance=tolerance or TOLERANCE,
        solver=bool(getattr(learner, "solver", False)),
        behaviour=getattr(learner, "behaviour", ""),
    )


def random_profile(game: Game, seed: np.uint64) -> Array:
    """`[groups, values, bids]` a random mixture of the bids allowed for each value, from the flat Dirichlet distribution."""
    check_game(game)
    check_seed(int(seed))
    rows = len(game.groups) * game.value_levels
    profile = np.random.default_rng(int(seed)).dirichlet(np.ones(game.bid_levels), rows)
    profile = profile.reshape(len(game.groups), game.value_levels, game.bid_levels)
    profile *= np.arange(game.bid_levels) < game.limits[..., None]
    return profile / profile.sum(axis=-1, keepdims=True)


def random_strategy(game: Game, seed: np.uint64) -> Array:
    """`[values, bids]` a random mixture of the bids allowed for each value, where all bidders are alike."""
    check_game(game)
    if len(game.groups) > 1:
        raise AllpayError("bidders of this game differ: take random_profile, which has a strategy for each group")
    return random_profile(game, seed)[0]


class SelfPlay(Learner, Protocol):
    """A learner whose bidders of a group all follow one strategy per value and know the exact payoffs of it."""

    @property
    def iterations(self) -> int:
        """The most that a run takes, at least 1."""
        ...

    @property
    def tolerance(self) -> float | None:
        """The distance from equilibrium at which a run may stop; None if it is not to stop for that."""
        ...

    @property
    def auctions(self) -> int:
        """How many fresh auctions are sampled with the learned strategies for the realised revenue."""
        ...


SelfPlayKernel = Callable[[Game, Payoffs, Array, Goal, Array], int]
"""From a game, its payoffs, the initial strategies `[groups, values, bids]` (turned into the learned ones), the goal at which
to stop and the history (filled) to the iterations taken."""


def check_self_play(learner: SelfPlay) -> None:
    """Raise AllpayError if what all learners of this kind have is out of bounds."""
    plain_fields(learner)
    check_count("iterations", learner.iterations)
    check_tolerance(learner.tolerance)
    check_count("auctions", learner.auctions, most=MOST_AUCTIONS)


def check_seed(seed: int) -> None:
    """Raise AllpayError unless it is a seed."""
    check_count("seed", seed, least=0, most=MOST_SEED)


def check_count(what: str, given: int, least: int = 1, most: int = MOST_ITERATIONS) -> None:
    """Raise AllpayError unless it is a whole number between these bounds, so that time, memory and arithmetic can hold it."""
    given = whole(what, given)
    if given < least:
        raise AllpayError(f"{what} must be at least {least}: got {short(given)}")
    if given > most:
        raise AllpayError(f"{what} must be at most {most:,}: got {short(given)}; give fewer")


def check_number(what: str, given: float, least: float, most: float, why: str = "", low: str = "be above 0") -> None:
    """Raise AllpayError unless it is a number between these bounds, both included; `low` says what one below them must do."""
    given = real(what, given)
    if not least <= given < math.inf:
        raise AllpayError(f"{what} must {low}: got {exactly(given)}")
    if given > most:
        raise AllpayError(f"{what} must be from {least:g} to {most:g}: got {short(given)}{f'; {why}' if why else ''}")


def check_power(what: str, given: float) -> None:
    """Raise AllpayError unless a power of the number of an iteration can be summed over a run."""
    why = "sums of higher powers of the iterations overflow"
    check_number(what, given, 0, MOST_POWER, why, low="be at least 0 and finite")


def check_tolerance(given: float | None) -> None:
    """Raise AllpayError unless a tolerance tells runs that converged from others: it is a part of the top prize."""
    if given is None:
        return
    given = real("tolerance", given)
    if not given > 0:
        raise AllpayError(f"tolerance must be above 0: got {exactly(given)}")
    if given >= 1:
        raise AllpayError(f"tolerance must be above 0 and below 1, a part of the top prize: got {short(given)}")


def self_play(
    learner: SelfPlay, kernel: SelfPlayKernel, games: Sequence[Game], seeds: Seeds, least: float = -1.0
) -> Outcome:
    """Every run of a learner with one strategy for all bidders of a group, on exact payoffs, and what its strategies bring.

    Runs begin with random mixtures, drawn from the flat Dirichlet distribution for each value. A learner without a tolerance
    stops at an exploitability of `least` of the stake.
    """
    check_batch(games, seeds)
    parts = {id(game): payoffs_of(game) for game in games}

    def run(game: Game, seed: np.uint64) -> Learned:
        strategy = random_profile(game, seed)
        history = np.full(min(CHECKPOINTS, learner.iterations), np.nan)
        taken = kernel(game, parts[id(game)], strategy, goal_of(game, learner.tolerance, least), history)
        return Learned(strategy, history, taken)

    return outcome_of_runs(learner, games, seeds, run, learner.auctions, learner.tolerance)
