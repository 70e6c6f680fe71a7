"""Games with known answers for learners with networks, and what must hold for each of them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import exploitability
from allpay.contest.values import Private, Uniform
from allpay.learners import deep, run_seeds
from allpay.learners.deep import advance, begin, design_of, is_key
from allpay.outcome import Outcome

VALUES = Private(levels=16)
HIGH = Private(Uniform(0.5, 1.0), levels=16)

THREE = {
    "first price": (Game(Mechanism((1, 0, 0), (1, 0, 0)), VALUES, bid_levels=31), lambda v: 2 / 3 * v, 1 / 2),
    "winner takes all": (
        Game(Mechanism.from_weights("prizes", 1.0, 3), VALUES, bid_levels=31),
        lambda v: 2 / 3 * v**3,
        1 / 2,
    ),
}
"""Three bidders: the game, its equilibrium bid on continuous bids, b = (n−1)/n·v and (n−1)/n·vⁿ, and its revenue."""

DOMINANT = {
    "equal prizes": (Game(Mechanism((1 / 3,) * 3, (1, 1, 1)), HIGH, bid_levels=31, max_bid=1.0), 0.0),
    "dominant bid": (Game(Mechanism((1, 0, 0), (0, 0, 0)), HIGH, bid_levels=31, max_bid=1.0), 1.0),
}
"""The game, and the one bid that every value makes: 0 where it wins nothing, the top where it costs nothing.

All games here have the same shape, so that one compiled program trains them: compiling takes most of the time.
"""


def learns_to_bid(learner) -> Outcome:
    """Two games of three bidders: bids, revenue and exploitability near those of the equilibrium."""
    games = [game for game, _, _ in THREE.values()]
    found = learner.learn(games, run_seeds(0, len(games), 1))
    for d, (game, bid, revenue) in enumerate(THREE.values()):
        bids = found.strategy[d, 0] @ game.bid_grid
        np.testing.assert_allclose(bids.mean(axis=0), bid(game.value_grid), atol=0.1)
        np.testing.assert_allclose(found.revenue[d], revenue, rtol=0.05)
        np.testing.assert_allclose(found.realised_revenue[d], revenue, rtol=0.07)
    assert np.all(found.relative_exploitability < 0.03)
    assert np.all(found.history[..., -1] < found.history[..., 0])
    return found


def learns_what_is_dominant(learner) -> None:
    games = [game for game, _ in DOMINANT.values()]
    found = learner.learn(games, run_seeds(0, len(games), 1))
    for d, (game, bid) in enumerate(DOMINANT.values()):
        np.testing.assert_allclose(found.strategy[d, 0] @ game.bid_grid, bid, atol=0.02)


def learns_the_best_response(learner, frozen, tolerance: float) -> None:
    """Bidder 0 learns alone, its rivals stay as they began: it ends with an exact best response but for the tolerance.

    `frozen(state, start)` is the state with the rivals' networks of the start.
    """
    game = THREE["winner takes all"][0]
    designs = jax.tree.map(lambda x: np.stack([x] * learner.chunk), design_of(game))
    states = begin(learner, designs, run_seeds(7, 1, learner.chunk)[0])
    start, freeze = jax.tree.map(jnp.copy, states), jax.jit(frozen)
    states, before, _played = advance(learner, designs, states, 0)
    for _ in range(learner.iterations):
        states, after, _played = advance(learner, designs, freeze(states, start), 1)
    gain = [exploitability(game, policies[0]) for policies in (before, after)]
    assert gain[1][0] < tolerance < gain[0][0]
    assert gain[1][1] > tolerance


def rivals_of(new, old):
    """Networks `[runs, bidders, …]`: bidder 0's new ones, the others' old ones."""
    return jax.tree.map(lambda new, old: new.at[:, 1:].set(old[:, 1:]), new, old)


def numbers(x) -> np.ndarray:
    """What an array of a state would be on disk."""
    return np.array(jax.random.key_data(x) if is_key(x) else x)


def stretches_change_nothing(learner) -> None:
    """A run in two stretches, its state stored on the way, has the bits of one in one stretch."""
    game = THREE["first price"][0]
    designs = jax.tree.map(lambda x: np.stack([x] * learner.chunk), design_of(game))
    seeds = run_seeds(5, 1, learner.chunk)[0]
    whole, *recorded = advance(learner, designs, begin(learner, designs, seeds), 7)
    half, *_ = advance(learner, designs, begin(learner, designs, seeds), 3)
    stored = jax.tree.map(lambda x: x if is_key(x) else jnp.asarray(np.array(x)), half)
    resumed, *again = advance(learner, designs, stored, 4)
    np.testing.assert_array_equal(recorded[0], again[0])
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(numbers(one), numbers(other))


def stops_at_the_tolerance(learner, tolerance: float) -> None:
    """A run stops at the first checkpoint within the tolerance, with the bits of the run that goes on."""
    game = THREE["first price"][0]
    seeds = run_seeds(1, 1, learner.chunk)
    whole = learner.learn([game], seeds)
    early = replace(learner, tolerance=tolerance).learn([game], seeds)
    assert np.all(early.iterations < learner.iterations)
    assert np.all(early.relative_exploitability <= tolerance)
    assert early.converged.all()
    taken = np.isfinite(early.history)
    np.testing.assert_array_equal(early.history[taken], whole.history[taken])
    assert early.auctions == early.iterations.sum() * learner.batch


def goes_on_from_its_checkpoint(learner, folder, monkeypatch) -> None:
    """Killed after each stretch of two chunks in turn, runs end with the bits of undisturbed ones, and learn nothing twice."""
    games = [THREE["first price"][0], THREE["winner takes all"][0]]
    seeds = run_seeds(2, 2, learner.chunk - 1)
    undisturbed = learner.learn(games, seeds)
    monkeypatch.setattr("allpay.learners.checkpoint.PAUSE", 0.0)
    file = folder / "runs.npz"
    steps = []

    def advance_once(*arguments):
        if len(steps) % 2:  # the second stretch of each call is never reached
            steps.append(None)
            raise Killed
        steps.append(arguments[-1])
        return advance(*arguments)

    monkeypatch.setattr(deep, "advance", advance_once)
    for _ in range(1000):
        try:
            again = learner.learn(games, seeds, file)
            break
        except Killed:
            pass
    taken = [step for step in steps if step is not None]
    assert len(taken) > 6
    assert sum(taken) == learner.iterations * (len(seeds.ravel()) // learner.chunk + 1)
    same_bits(undisturbed, again)

    monkeypatch.setattr(deep, "advance", advance)
    told = []
    monkeypatch.setattr("allpay.learners.checkpoint.tell", told.append)
    content = file.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-4000] + bytes(4000), b"", b"PK"):
        file.write_bytes(damaged)
        same_bits(undisturbed, learner.learn(games, seeds, file))
    assert all("is damaged: its runs are begun again" in line for line in told)
    assert len(told) == 4
    other = learner.learn(games, seeds + np.uint64(1), file)
    assert "is of other runs or made by other versions" in told[-1]
    assert not np.array_equal(other.revenue, undisturbed.revenue)


class Killed(Exception):
    """Stands for the end of a process."""


def same_bits(one: Outcome, other: Outcome) -> None:
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)
