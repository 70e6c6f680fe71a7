"""What bidders with networks share: auctions sampled in large batches, tables of networks over the value grid, and runs
trained side by side in chunks of one fixed size. How they learn is in `dqn` and `ppo`.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from allpay import progress
from allpay.contest.auction import utilities_by_rank
from allpay.contest.game import Array, Game, check_expected_utility
from allpay.contest.payoffs import evaluate, exploitability
from allpay.contest.success import Success
from allpay.errors import AllpayError, exactly, one_line
from allpay.learners.base import CHECKPOINTS, Seeds, check_batch, check_count, check_number, check_tolerance
from allpay.learners.checkpoint import Arrays, Checkpoint, identity
from allpay.outcome import TOLERANCE, Outcome, fields_of, stake, within
from allpay.precision import pinned
from allpay.scalars import plain_fields

MOST_AT_ONCE = 1_000_000
"""More auctions in a batch, units of a network, or runs in a chunk than this are refused."""

SMALLEST, LARGEST = 1e-9, 1e6
"""Between these numbers of 32 bits can be multiplied and squared."""

FREQUENCIES = 8
"""How many cosines of the value's quantile a network sees."""


class Rules(eqx.Module):
    """What a game has beyond bidders who are alike, all there, and the highest bid that wins.

    Shapes: which `[bidders]` the group of each; efforts `[bidders, bids]` what luck is added to; presence `[bidders]` the
    chance to turn up; field `[bidders]` the chance that 0, 1, … or fewer turn up, None where that is not random. Static, so
    that another one is another program: success, out, whether bid 0 is to stay out, and seconds, whether all who tie for the
    second place pay as second.
    """

    which: jax.Array
    efforts: jax.Array
    presence: jax.Array
    field: jax.Array | None
    success: Success = eqx.field(static=True)
    out: bool = eqx.field(static=True)
    seconds: bool = eqx.field(static=True)


class Design(NamedTuple):
    """A game as arrays of 32-bit numbers, which is all that a training run knows of it.

    Shapes: features `[values, inputs]` of each value, what networks see of it; utilities `[groups, values, bids, bidders + 1]`
    of a value and bid at each rank and, 0, without one, in units of the stake; allowed `[values]` how many bids, from 0 up, may
    be made; bids `[bids]` in units of the top bid, so that rounding takes none above it; payments `[bidders + 1]`, the last 0.
    Where there are rules, features and allowed have an axis of bidders in front.
    """

    features: jax.Array
    utilities: jax.Array
    allowed: jax.Array
    bids: jax.Array
    payments: jax.Array
    rules: Rules | None = None

    @property
    def values(self) -> int:
        """How many values a bidder can have."""
        return self.features.shape[-2]

    @property
    def bidders(self) -> int:
        """How many bidders there are."""
        return len(self.payments) - 1


def check_rule(success: Success) -> None:
    """Raise AllpayError unless networks can sample auctions under a rule: by its `scores` and `luck` on JAX arrays, as part of
    what is compiled, which is told from others by its hash."""
    name = type(success).__name__
    wanted = ("scores", "luck") if success.lucky else ("scores",)
    missing = [method for method in wanted if not callable(getattr(success, method, None))]
    if missing:
        raise AllpayError(
            f"dqn and ppo sample luck on JAX arrays: {name} has no method {' and no '.join(missing)}; give it one, as "
            "Tullock has, or choose a learner on exact payoffs, such as fictitious-play"
        )

    def ranked(x: jax.Array) -> jax.Array:
        return success.scores(x, jnp) + _luck(success, x)

    try:
        hash(success)
        jax.eval_shape(ranked, jax.ShapeDtypeStruct((2, 3), jnp.float32))
    except Exception as error:
        raise AllpayError(
            f"dqn and ppo cannot use {name} on JAX arrays: {type(error).__name__}: {one_line(str(error))[:90]}; write it with "
            "the namespace xp that its methods are given, or choose a learner on exact payoffs, such as fictitious-play"
        ) from error


def _luck(success: Success, drawn: jax.Array) -> jax.Array:
    """What is added to scores; nothing where there is no luck."""
    return success.luck(drawn, jnp) if success.lucky else jnp.zeros_like(drawn)


def design_of(game: Game) -> Design:
    """The arrays of a game."""
    quantile = (np.arange(game.value_levels) + 0.5) / game.value_levels
    waves = np.cos(np.pi * np.arange(FREQUENCIES) * quantile[:, None])
    features = np.stack([np.column_stack([v / game.highest_value, waves]) for v in game.value_grids])
    which, rules, allowed = np.repeat(np.arange(len(game.groups)), game.counts), None, game.limits
    if not game.simple:
        check_rule(game.mechanism.success)
        chances = None if game.field is None else np.cumsum(game.field.among(game.bidders))[:-1]
        rules = Rules(
            which=jnp.asarray(which, jnp.int32),
            efforts=jnp.asarray(game.efforts[which], jnp.float32),
            presence=jnp.asarray(game.presence[which], jnp.float32),
            field=None if chances is None else jnp.asarray(chances, jnp.float32),
            success=game.mechanism.success,
            out=game.mechanism.may_stay_out,
            seconds=game.mechanism.ties != "random",
        )
    return Design(
        features=jnp.asarray(features[which] if rules else features[0], jnp.float32),
        utilities=jnp.asarray(utilities_by_rank(game) / stake(game), jnp.float32),
        allowed=jnp.asarray(allowed[which] if rules else allowed[0], jnp.int32),
        bids=jnp.asarray(game.bid_grid / game.top_bid, jnp.float32),
        payments=jnp.asarray([*game.mechanism.payments, 0.0], jnp.float32),
        rules=rules,
    )


class Network(eqx.Module):
    """Layers of weights and biases, smooth units (x·sigmoid x) between them; `[values, inputs]` in, `[values, outputs]` out."""

    matrices: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]

    def __call__(self, x: jax.Array) -> jax.Array:
        *hidden, last = zip(self.matrices, self.biases, strict=True)
        for matrix, bias in hidden:
            x = jax.nn.silu(x @ matrix + bias)
        return x @ last[0] + last[1]


def initial(key: jax.Array, sizes: Sequence[int]) -> Network:
    """A random start: normal weights of variance 1/inputs, those of the last layer a tenth of that size; biases 0."""
    shapes = list(pairwise(sizes))
    ends = np.cumsum([a * b for a, b in shapes])
    parts = jnp.split(jax.random.normal(key, (int(ends[-1]),)), ends[:-1])
    scales = [1.0] * (len(shapes) - 1) + [0.1]
    matrices = [
        part.reshape(shape) * (scale / np.sqrt(shape[0]))
        for part, shape, scale in zip(parts, shapes, scales, strict=True)
    ]
    return Network(tuple(matrices), tuple(jnp.zeros(b) for _, b in shapes))


def beginning(learner: "DeepLearner", key: jax.Array) -> jax.Array:
    """`[2]` keys of a run: for what is drawn in its steps, and for its start.

    The name of the learner is a part of them, so that two learners with one seed do not begin with the same networks.
    """
    return jax.random.split(jax.random.fold_in(key, zlib.crc32(learner.name.encode())))


def uniform(key: jax.Array, *shape: int) -> jax.Array:
    """Uniform numbers in [0, 1): those that `jax.random.uniform` draws for a shape, compiled in a third of the time."""
    return jax.random.uniform(key, (math.prod(shape),)).reshape(shape)


def below(chance: jax.Array, count: jax.Array | int) -> jax.Array:
    """A whole number in 0…count−1 from a uniform one in [0, 1)."""
    return jnp.minimum((chance * count).astype(jnp.int32), count - 1)


def ranks(bids: jax.Array, ties: jax.Array) -> jax.Array:
    """`[bidders, auctions]` the rank of each bid, 0 for the highest; of bids that tie, in the order of the numbers `ties`."""
    n = len(bids)
    if n <= 16:  # counting is quicker than sorting while bidders are few
        i = jnp.arange(n)[:, None]
        tie = (ties[None] > ties[:, None]) | ((ties[None] == ties[:, None]) & (i > i[:, None]))
        above = (bids[None] > bids[:, None]) | ((bids[None] == bids[:, None]) & tie)
        return jnp.sum(above, axis=1, dtype=jnp.int32)
    order = jnp.lexsort((-ties, -bids), axis=0)
    return jnp.argsort(order, axis=0).astype(jnp.int32)


class Auctions(NamedTuple):
    """Sampled auctions, each `[bidders, auctions]`: index of value, of bid, and the utility that it brought."""

    value: jax.Array
    bid: jax.Array
    utility: jax.Array


class Chance(NamedTuple):
    """What decides auctions beside bids, each `[bidders, auctions]`: the luck of each bidder, and whether it is there."""

    luck: jax.Array
    there: jax.Array


def chance_of(design: Design, key: jax.Array, auctions: int) -> Chance | None:
    """Luck and presence of so many auctions; None where neither is part of the game."""
    rules = design.rules
    if rules is None:
        return None
    key, of_field = jax.random.split(jax.random.fold_in(key, 1))
    drawn = uniform(key, 3, design.bidders, auctions)
    there = drawn[0] < rules.presence[:, None]
    if rules.field is not None:  # so many of them, each set equally likely
        count = jnp.sum(rules.field[:, None] <= jax.random.uniform(of_field, (auctions,)), axis=0)
        there &= ranks(drawn[1], drawn[1]) < count
    return Chance(_luck(rules.success, jnp.maximum(drawn[2], 2.0**-24)), there)


def settle(
    design: Design,
    value: jax.Array,
    bid: jax.Array,
    ties: jax.Array,
    chance: Chance | None = None,
    counted: jax.Array | bool = True,
) -> tuple[Auctions, jax.Array]:
    """Who wins and pays what in auctions of these values and bids; the mean revenue and highest bid of those counted.

    Bids are indices of the grid, or numbers between them: what lies between two bids is interpolated, which is exact where
    utility is linear in the bid. Where bidders may stay out, they do so with what is nearer to that than to the lowest bid.
    """
    _, _, levels, ends = design.utilities.shape
    rules = design.rules
    if rules is not None and rules.out and jnp.issubdtype(bid.dtype, jnp.floating):
        bid = jnp.where(bid < 0.5, 0.0, jnp.maximum(bid, 1.0))
    lower = bid.astype(jnp.int32)

    def between(table: jax.Array, place: jax.Array, stride: int = 1) -> jax.Array:
        """What a flat table holds at the lower bids, or between those and the next, `stride` further on."""
        found = table[place]
        if jnp.issubdtype(bid.dtype, jnp.floating):
            rest, upper = bid - lower, jnp.minimum(lower + 1, levels - 1)
            found += rest * (table[place + (upper - lower) * stride] - found)
        return found

    amount = between(design.bids, lower)
    if rules is None or chance is None:
        row, rank, offered = value, ranks(bid, ties), amount
    else:
        bidder = jnp.arange(design.bidders)[:, None]
        score = rules.success.scores(between(rules.efforts.reshape(-1), bidder * levels + lower), jnp) + chance.luck
        enters = chance.there & (lower > 0) if rules.out else chance.there
        # those who are not in come after all who are, also after those who can only be last
        score = jnp.where(enters, jnp.maximum(score, jnp.finfo(score.dtype).min), -jnp.inf)
        rank = jnp.where(enters, ranks(score, ties), design.bidders)
        if rules.seconds:  # a loser with at most one bid strictly above its own is second
            second = jnp.where(score >= jnp.sort(score, axis=0)[-2], 1, 2)
            rank = jnp.where(enters & (rank > 0), second, rank)
        row, offered = rules.which[:, None] * design.values + value, jnp.where(enters, amount, 0.0)
    # flat indices: XLA gathers and scatters along one axis several times as fast as along three
    utility = between(design.utilities.reshape(-1), (row * levels + lower) * ends + rank, ends)
    paid = jnp.sum(design.payments[rank] * amount, axis=0)
    return Auctions(value, bid, utility), jnp.mean(jnp.stack([paid, offered.max(axis=0)]), axis=1, where=counted)


def at(table: jax.Array, value: jax.Array, bid: jax.Array) -> jax.Array:
    """What a bidder's table `[values, bids]` holds for its values and bids."""
    return table.reshape(-1)[value * table.shape[1] + bid]


def draw_bids(design: Design, policy: jax.Array, value: jax.Array, chance: jax.Array) -> jax.Array:
    """Indices of bids drawn from a policy `[bidders, values, bids]` at values `[bidders, auctions]`, by uniform numbers.

    The bid is how many of the running sums of its row are at most the uniform number. They are parted into as many blocks as a
    block has sums: the ends of blocks say which block is the one to look at.
    """
    sums = policy.shape[-1] - 1
    size = max(1, math.isqrt(sums))
    blocks = -(-sums // size)

    def draw(policy: jax.Array, value: jax.Array, chance: jax.Array) -> jax.Array:
        cumulative = jnp.cumsum(policy, axis=-1)[:, :-1]
        cumulative = jnp.pad(cumulative, ((0, 0), (0, blocks * size - sums)), constant_values=2.0)
        ends = cumulative[:, size - 1 : -1 : size]
        block = jnp.sum(ends[value] <= chance[:, None], axis=1, dtype=jnp.int32)
        rest = cumulative.reshape(-1, size)[value * blocks + block]
        return size * block + jnp.sum(rest <= chance[:, None], axis=1, dtype=jnp.int32)

    # where rounding leaves the sum of a row below the uniform number, it is the last bid allowed
    return jnp.minimum(jax.vmap(draw)(policy, value, chance), allowed_at(design, value) - 1)


def allowed_at(design: Design, value: jax.Array) -> jax.Array:
    """How many bids, from 0 up, bidders may make at values `[bidders, auctions]`, same shape."""
    return design.allowed[value] if design.rules is None else jnp.take_along_axis(design.allowed, value, axis=1)


def softmax(design: Design, scores: jax.Array) -> jax.Array:
    """Probabilities of bids ∝ e^score, 0 for those not allowed; scores `[bidders, values, bids]`."""
    return jax.nn.softmax(allowed_only(design, scores), axis=-1)


def allowed_only(design: Design, scores: jax.Array) -> jax.Array:
    """The scores, −∞ at bids not allowed."""
    return jnp.where(jnp.arange(scores.shape[-1]) < design.allowed[..., None], scores, -jnp.inf)


def outputs(design: Design, networks: Network) -> jax.Array:
    """`[bidders, values, outputs]` of networks stacked along their first axis.

    Values lie on a grid, so a network is evaluated once at each of them, however many auctions are sampled.
    """
    return jax.vmap(Network.__call__, (0, None if design.rules is None else 0))(networks, design.features)


def decay(first: float, last: float, progress: jax.Array) -> jax.Array:
    """From first to last along a geometric sequence, as progress goes from 0 to 1 (and no further)."""
    return first * (last / first) ** jnp.minimum(progress, 1.0)


def towards(average: Network, networks: Network, rate: float, step: jax.Array) -> Network:
    """The average moved to the networks: a running mean of the first 1/rate steps, then exponential (Polyak)."""
    share = jnp.maximum(rate, 1 / (step + 1))
    return jax.tree.map(lambda a, x: a + share * (x - a), average, networks)


class DeepLearner(Protocol):
    """A learner whose training run is a pure function of (design, key), step by step, on a state that is one PyTree."""

    name: ClassVar[str]

    @property
    def iterations(self) -> int:
        """How many steps a run takes."""
        ...

    @property
    def batch(self) -> int:
        """How many auctions are sampled in a step."""
        ...

    @property
    def learning_rate(self) -> float:
        """Of the optimiser, at the first step."""
        ...

    @property
    def chunk(self) -> int:
        """How many runs are trained side by side; it bounds the memory."""
        ...

    @property
    def tolerance(self) -> float | None:
        """The distance from equilibrium at which a run may stop; None if it is not to stop for that."""
        ...

    def begin(self, design: Design, key: jax.Array) -> Any:
        """The state of a run before its first step."""
        ...

    def step(self, design: Design, state: Any) -> tuple[Any, jax.Array]:
        """One step; and the mean revenue and mean highest bid `[2]` of its auctions."""
        ...

    def policy(self, design: Design, state: Any) -> jax.Array:
        """`[bidders, values, bids]` what the bidders have learned."""
        ...


def check(learner: DeepLearner, *more: str) -> None:
    """Raise AllpayError if a number that all deep learners have, or one of those named, is out of bounds."""
    plain_fields(learner)
    check_count("iterations", learner.iterations)
    for name in ("batch", "chunk", *more):
        check_count(name, getattr(learner, name), most=MOST_AT_ONCE)
    check_number("learning_rate", learner.learning_rate, 1e-9, 1, "networks do not survive larger steps")
    check_tolerance(learner.tolerance)


def check_unit(learner: DeepLearner, *names: str) -> None:
    """Raise AllpayError if one of these is not a share."""
    for name in names:
        share = getattr(learner, name)
        if not 0 <= share <= 1:
            raise AllpayError(f"{name} must lie in [0, 1]: got {exactly(share)}")


def check_decay(learner: DeepLearner, name: str) -> None:
    """Raise AllpayError if a number that falls geometrically is not above 0, and of a usual size, from first to last."""
    for end in (name, f"final_{name}"):
        check_number(end, getattr(learner, end), SMALLEST, LARGEST)


def bytes_needed(
    learner: DeepLearner, outputs: int, bidders: int, values: int, bids: int, runs: int, groups: int
) -> float:
    """About how many bytes all runs of one design take at once, see `usual_bytes`; `outputs` are those of a network.

    A chunk of runs is trained at a time. Each has the parameters of its networks six times (gradient, average, two moments
    and two copies), what they say of each value eight times, for each auction of a batch a row of probabilities, and what
    each rank is worth to each group.
    """
    inputs, width, batch = FREQUENCIES + 1, getattr(learner, "width", 1), learner.batch
    parameters = bidders * (inputs * width + width**2 + width * outputs)
    auctions = bidders * batch * (20 + outputs + bids + 4 * getattr(learner, "replay", 1))
    auctions += 5 * bidders * batch * getattr(learner, "epochs", 1)
    game = values * bids * bidders
    run = 6 * parameters + 8 * bidders * values * outputs + auctions + (5 + groups) * game
    return 4 * learner.chunk * run + 8 * (runs + groups - 1) * game


@pinned
def train(learner: DeepLearner, games: Sequence[Game], seeds: Seeds, checkpoint: Path | None = None) -> Outcome:
    """Every run of a deep learner, and what its strategies bring.

    Runs are trained in chunks of one size, the last filled up with copies: XLA may round a sum over a batch of another size
    differently, and a run must not depend on how many others there are. XLA spreads a chunk over the
    cores, and executes one computation at a time, so threads over chunks would gain nothing.

    Args:
        learner, games, seeds: who learns what.
        checkpoint: where the runs are kept meanwhile, see `Resumable`: the state of the chunk that is being trained and what
            has been recorded of it and of those before.
    """
    check_batch(games, seeds)
    for game in games:
        check_expected_utility(learner.name, game)
    designs = [design_of(game) for game in games]
    which = np.repeat(np.arange(len(games)), seeds.shape[1])
    stops = np.unique([max(1, k * learner.iterations // CHECKPOINTS) for k in range(1, CHECKPOINTS + 1)])

    # runs of one chunk are one program, so their games must have the same parts and kind of luck
    programs: list[Any] = [jax.tree.structure(design) for design in designs]
    chunks = [
        alike[first : first + learner.chunk]
        for alike in (np.flatnonzero([programs[d] == one for d in which]) for one in dict.fromkeys(programs))
        for first in range(0, len(alike), learner.chunk)
    ]
    starts = np.cumsum([0, *map(len, chunks)])
    kept = Checkpoint(checkpoint, identity(learner, tuple(games), seeds, jax.devices()[0].device_kind))
    found = kept.load()
    every = [] if found is None else runs_of(found)

    def train_chunk(k: int, found: Arrays | None) -> None:
        index = chunks[k][np.minimum(np.arange(learner.chunk), len(chunks[k]) - 1)]
        # by NumPy, for JAX would compile a program for each shape
        chunk = jax.tree.map(lambda *arrays: np.stack(arrays), *[designs[d] for d in which[index]])
        states = begin(learner, chunk, seeds.ravel()[index])
        if found is None:
            taken = 0
            every.extend(Run() for _ in chunks[k])
        else:
            taken = int(found["taken"])
            states = with_numbers(states, found)
        runs = every[starts[k] :]
        for before, stop in pairwise([0, *stops]):
            if stop <= taken:
                continue
            if all(run.ended for run in runs):
                break
            states, policies, played = advance(learner, chunk, states, stop - before)
            for i, run in enumerate(runs):
                if not run.ended:
                    run.record(games[which[index[i]]], policies[i], played[i], int(stop), learner.tolerance)
            kept.save(partial(arrays_of, k, stop, states, every))
            progress.advance(seeds.size * (k + stop / stops[-1]) / len(chunks), seeds.size)

    start = 0 if found is None else int(found["chunk"])
    for k in range(start, len(chunks)):
        train_chunk(k, found if k == start else None)
    every = [every[i] for i in np.argsort(np.concatenate(chunks))]
    rows = [every[d * seeds.shape[1] : (d + 1) * seeds.shape[1]] for d in range(len(games))]
    history = np.full((*seeds.shape, len(stops)), np.nan)
    for place, run in zip(np.ndindex(*seeds.shape), every, strict=True):
        history[place][: len(run.history)] = run.history
    iterations = np.array([[run.taken for run in row] for row in rows])
    return Outcome(
        games=tuple(games),
        learner=learner.name,
        strategy=np.array([[run.strategy for run in row] for row in rows]),
        **fields_of(
            games, [[evaluate(game, run.strategy) for run in row] for game, row in zip(games, rows, strict=True)]
        ),
        realised_revenue=np.array([[float(run.played[0]) for run in row] for row in rows]),
        realised_highest_bid=np.array([[float(run.played[1]) for run in row] for row in rows]),
        history=history,
        iterations=iterations,
        auctions=int(iterations.sum()) * learner.batch,
        tolerance=learner.tolerance or TOLERANCE,
    )


@dataclass
class Run:
    """What is recorded of a run: at a checkpoint its strategy, exploitability and the auctions just played."""

    history: list[float] = field(default_factory=list)
    strategy: Array = field(default_factory=lambda: np.empty(0))
    played: Array = field(default_factory=lambda: np.empty(0))
    taken: int = 0
    ended: bool = False

    def record(self, game: Game, policy: Array, played: Array, taken: int, tolerance: float | None) -> None:
        self.strategy, self.played, self.taken = policy, game.top_bid * played, taken
        self.history.append(float(exploitability(game, policy).mean()))
        self.ended = within(game, policy, self.history[-1], tolerance)


def arrays_of(chunk: int, taken: int, states: Any, runs: Sequence[Run]) -> Arrays:
    """All that training goes on from: the chunk that is trained, the steps taken, its states, and all runs up to it."""
    return {"chunk": np.array(chunk), "taken": np.array(taken)} | numbers_of(states) | records_of(runs)


def records_of(runs: Sequence[Run]) -> Arrays:
    """What is recorded of runs, as arrays with a first dimension `[runs]`."""
    lengths = np.array([len(run.history) for run in runs])
    history = np.full((len(runs), lengths.max()), np.nan)
    for row, run in zip(history, runs, strict=True):
        row[: len(run.history)] = run.history
    names = ("strategy", "played", "taken", "ended")
    parts = {f"run {name}": np.array([getattr(run, name) for run in runs]) for name in names}
    return {"run history": history, "run length": lengths, **parts}


def runs_of(arrays: Arrays) -> list[Run]:
    """The runs of such arrays."""
    parts = (arrays[f"run {name}"] for name in ("history", "length", "strategy", "played", "taken", "ended"))
    return [
        Run(history[:length].tolist(), strategy, played, int(taken), bool(ended))
        for history, length, strategy, played, taken, ended in zip(*parts, strict=True)
    ]


def numbers_of(states: Any) -> Arrays:
    """All numbers of the states of a chunk, keys of random numbers among them."""
    parts = enumerate(jax.tree.leaves(states))
    return {f"state {i}": np.asarray(jax.random.key_data(x) if is_key(x) else x) for i, x in parts}


def with_numbers(states: Any, arrays: Arrays) -> Any:
    """States like these, with the numbers that such arrays hold."""
    parts, structure = jax.tree.flatten(states)
    found = [jnp.asarray(arrays[f"state {i}"]) for i in range(len(parts))]
    typed = [
        jax.random.wrap_key_data(x, impl=jax.random.key_impl(like)) if is_key(like) else x
        for x, like in zip(found, parts, strict=True)
    ]
    return jax.tree.unflatten(structure, typed)


def is_key(x: jax.Array) -> bool:
    """Whether an array holds keys of random numbers."""
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def begin(learner: DeepLearner, designs: Design, seeds: Seeds) -> Any:
    """The states of a chunk of runs before their first step, each a function of its 64-bit seed."""
    halves = np.stack([seeds >> np.uint64(32), seeds & np.uint64(0xFFFFFFFF)], axis=-1).astype(np.uint32)
    return _begin(learner, designs, halves)


def advance(learner: DeepLearner, designs: Design, states: Any, steps: int) -> tuple[Any, Array, Array]:
    """So many steps of all runs of a chunk: the new states (the old are used up), the policies `[runs, bidders, values, bids]`,
    the mean revenue and highest bid of the auctions `[runs, 2]`."""
    states, policies, played = _advance(learner, designs, states, steps)
    policies = np.asarray(policies).astype(float)
    return states, policies / policies.sum(axis=-1, keepdims=True), np.asarray(played).astype(float)


@partial(jax.jit, static_argnums=0)
def _begin(learner: DeepLearner, designs: Design, halves: jax.Array) -> Any:
    states = jax.vmap(learner.begin)(designs, jax.random.wrap_key_data(halves, impl="threefry2x32"))
    return states


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def _advance(learner: DeepLearner, designs: Design, states: Any, steps: int) -> tuple[Any, jax.Array, jax.Array]:
    def loop(_: jax.Array, carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
        states, total = carry
        states, played = jax.vmap(learner.step)(designs, states)
        return states, total + played

    nothing = jnp.zeros((len(designs.bids), 2))
    # a loop whose length is not known when it is compiled: one compilation serves stretches of any length
    states, total = jax.lax.fori_loop(0, steps, loop, (states, nothing))
    return states, jax.vmap(learner.policy)(designs, states), total / steps
