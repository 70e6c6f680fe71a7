"""Deep Q-learning bidders: each has a network that estimates what every bid is worth to it at every value.

Sampling auctions, and training many runs side by side, is in `deep`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from allpay.contest.game import Game, Setting
from allpay.contest.values import Private
from allpay.learners.base import Seeds
from allpay.learners.deep import (
    Auctions,
    Design,
    Network,
    allowed_at,
    at,
    beginning,
    below,
    bytes_needed,
    chance_of,
    check,
    check_decay,
    check_unit,
    decay,
    draw_bids,
    initial,
    outputs,
    settle,
    softmax,
    towards,
    train,
    uniform,
)
from allpay.outcome import Outcome


class Replay(NamedTuple):
    """The last batches of auctions, and 1 where a bidder may learn from one, 0 where a rival explored or it was absent; arrays
    `[batches, bidders, auctions]`."""

    auctions: Auctions
    counts: jax.Array


class State(NamedTuple):
    """A run between two steps. Networks, their Polyak average and Adam's moments are stacked over bidders."""

    networks: Network
    average: Network
    moments: Any
    buffer: Replay
    key: jax.Array
    step: jax.Array


@dataclass(frozen=True)
class DQN:
    """Independent deep Q-learning (Mnih et al. 2015) in an auction of one round.

    Bidder i has a network Q_i(v, ·) with an output for every bid, and descends, by Adam, the mean over sampled auctions of

        ½ (Q_i(v, b) − u)²,   u the utility that its own bid b brought at its value v.

    In most auctions it bids b with probability ∝ exp(Q_i(v, b) / temperature), the temperature falling towards 0, which is
    greedy but for bids of nearly the same worth. In a share epsilon of the auctions one bidder, by turns, makes any allowed
    bid at random; its rivals do not learn from these. A strategy is read off the Polyak average of the network.

    With private uniform values, n = 3, `prizes`, w from .7 to 1, mean exploitability relative to the stake is .005 and
    revenue within 1 % of the closed form (10 rounds each, `benchmarks/deep.py`). Each choice above was left out in turn, while
    this was written, with 2 rounds each:

    - Wholly greedy bidders (temperature 0) circle: all values jump to new bids together; .03 to .1.
    - Where everybody explores at once at the usual 5 %, exploitability is the same but revenue 2 to 4 % too low: bidders
      learn to beat rivals who now and then bid at random.
    - Old auctions were played with rivals who are gone. Replay of the last 1, 4, 32 batches: .005, .007, .029. So the
      buffer holds one batch unless told otherwise.
    - A target network would have nothing to do: u is all that a round brings, there is no next state whose value
      r + γ max Q would have to be guessed. Its other effect, a network that lags behind, is harmful: bidders who act on
      the averaged network end at .065.

    Attributes:
        iterations: steps of a run, each one batch of auctions and one step of Adam for every bidder.
        batch: auctions sampled in a step.
        replay: from how many of the last batches the auctions of a step of Adam are drawn; 1 is the batch just played.
        width: units in each of two hidden layers.
        learning_rate: of Adam, without momentum, which would overshoot rivals who move; falls to 1 % along a cosine.
        exploration, final_exploration: epsilon at the start, and from the middle of the run on; it falls linearly.
        temperature, final_temperature: at the start and at the end, in units of the stake; it falls geometrically.
        averaging: what a step counts in the average of the networks.
        chunk: how many runs are trained side by side.
        tolerance: stop a run at the first of its 32 checkpoints at which its distance from equilibrium is at
            most this; None runs all iterations.

    Realised revenue is that of the auctions after the last checkpoint but one in which nobody explored.
    """

    iterations: int = 3000
    batch: int = 1024
    replay: int = 1
    width: int = 32
    learning_rate: float = 1.5e-3
    exploration: float = 1.0
    final_exploration: float = 0.5
    temperature: float = 0.05
    final_temperature: float = 0.003
    averaging: float = 0.003
    chunk: int = 5
    tolerance: float | None = None

    name: ClassVar[str] = "dqn"
    setting: ClassVar[Setting] = Setting(Private(levels=64), bid_levels=51)
    continuous: ClassVar[bool] = True
    resumable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, "replay", "width")
        check_unit(self, "exploration", "final_exploration", "averaging")
        check_decay(self, "temperature")

    def bytes_needed(self, bidders: int, values: int, bids: int, runs: int, groups: int = 1) -> float:
        return bytes_needed(self, bids, bidders, values, bids, runs, groups)

    def learn(self, games: Sequence[Game], seeds: Seeds, checkpoint: Path | None = None) -> Outcome:
        return train(self, games, seeds, checkpoint)

    def begin(self, design: Design, key: jax.Array) -> State:
        inputs, bids, bidders = design.features.shape[-1], len(design.bids), design.bidders
        key, start = beginning(self, key)
        sizes = [inputs, self.width, self.width, bids]
        networks = jax.vmap(lambda key: initial(key, sizes))(jax.random.split(start, bidders))
        indices, numbers = (jnp.zeros((self.replay, bidders, self.batch), kind) for kind in (jnp.int32, jnp.float32))
        buffer = Replay(Auctions(indices, indices, numbers), numbers)
        moments = self._optimiser.init(networks)
        return State(networks, networks, moments, buffer, key, jnp.zeros((), jnp.int32))

    def step(self, design: Design, state: State) -> tuple[State, jax.Array]:
        bidders = design.bidders
        key, draw = jax.random.split(state.key)
        chance = uniform(draw, 3 if self.replay == 1 else 4, bidders, self.batch)
        progress = state.step / self.iterations

        value = below(chance[0], design.values)
        left = chance[0] * design.values - value  # as random, and enough to try bids by
        greedy = draw_bids(design, self._play(design, state.networks, progress), value, chance[1])
        auction, bidder = jnp.arange(self.batch), jnp.arange(bidders)[:, None]
        epsilon = jnp.maximum(self.exploration * (1 - 2 * progress), self.final_exploration)
        disturbed = auction < jnp.minimum(epsilon * self.batch, self.batch - 1)
        explores = disturbed & (auction % bidders == bidder)
        bid = jnp.where(explores, below(left, allowed_at(design, value)), greedy)
        rest = chance_of(design, draw, self.batch)
        auctions, played = settle(design, value, bid, chance[2], rest, ~disturbed)

        counts = explores | ~disturbed
        new = Replay(auctions, (counts if rest is None else counts & rest.there).astype(jnp.float32))
        buffer = jax.tree.map(lambda ring, new: ring.at[state.step % self.replay].set(new), state.buffer, new)
        if self.replay > 1:
            slot = below(chance[3, 0], jnp.minimum(state.step + 1, self.replay))
            new = jax.tree.map(lambda ring: ring[slot, :, auction].T, buffer)
        (value, bid, utility), counts = new

        def loss(networks: Network) -> jax.Array:
            error = jax.vmap(at)(outputs(design, networks), value, bid) - utility
            return 0.5 * jnp.sum(counts * error**2) / self.batch

        updates, moments = self._optimiser.update(jax.grad(loss)(state.networks), state.moments)
        networks = optax.apply_updates(state.networks, updates)
        average = towards(state.average, networks, self.averaging, state.step)
        return State(networks, average, moments, buffer, key, state.step + 1), played

    def policy(self, design: Design, state: State) -> jax.Array:
        return self._play(design, state.average, state.step / self.iterations)

    def _play(self, design: Design, networks: Network, progress: jax.Array) -> jax.Array:
        """`[bidders, values, bids]` how bidders bid who do not explore."""
        temperature = decay(self.temperature, self.final_temperature, progress)
        return softmax(design, outputs(design, networks) / temperature)

    @property
    def _optimiser(self) -> Any:
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, self.iterations, 0.01), b1=0.0)
