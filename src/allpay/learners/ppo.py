"""Bidders who learn by proximal policy optimisation: each has a network for its policy and one for what a value is worth.

Sampling auctions, and training many runs side by side, is in `deep`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from allpay.errors import AllpayError
from allpay.game import Game, Private, Setting
from allpay.learners.base import Seeds
from allpay.learners.deep import (
    Design,
    Network,
    at,
    below,
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
)
from allpay.outcome import Outcome


class Networks(NamedTuple):
    """What a bidder has: logits of its bids, and the utility that it expects, each given its value."""

    policy: Network
    value: Network


class State(NamedTuple):
    """A run between two steps. Networks, the Polyak average of the policies and Adam's moments are stacked over bidders."""

    networks: Networks
    average: Network
    moments: Any
    key: jax.Array
    step: jax.Array


@dataclass(frozen=True)
class PPO:
    """Independent proximal policy optimisation (Schulman et al. 2017) in an auction of one round.

    Bidder i plays π(b|v), the softmax of a network's outputs. In a step it plays a batch of auctions with π_old, and ascends,
    by Adam, the mean over minibatches of it of

        min(ρ A, clip(ρ, 1 − c, 1 + c) A) + entropy · H(π),   ρ = π(b|v) / π_old(b|v),   A = u − V(v),

    u the utility that its own bid brought. V, a network of its own, descends ½ (V(v) − u)². A is brought to mean 0 and
    variance 1 over the batch. There is no discount and no bootstrapping, since an auction ends the episode.

    The strategy judged is π itself, with the Polyak average of the parameters. The entropy bonus is what keeps simultaneous
    learners from circling, so it may not fall too low: with private uniform values, n = 3, `prizes`, w from .7 to 1, mean
    exploitability relative to the stake is .006 with a final weight of .01 (10 rounds each), and was .015 with .003 (1,500
    steps, 2 rounds); revenue is within 1 % of the closed form, so what it spreads around a best bid matters little.

    Attributes:
        iterations: steps of a run, each one batch of auctions.
        batch: auctions sampled in a step.
        epochs, minibatches: how often a batch is gone through, and in how many parts. Auctions of a batch are independent
            draws, so parts need no shuffling.
        clip: c.
        width: units in each of two hidden layers, in either network.
        learning_rate: of Adam; falls to 1 % along a cosine.
        entropy, final_entropy: weight of the mean entropy over values, at the start and at the end; it falls geometrically.
        averaging: what a step counts in the average of the policies.
        chunk: how many runs are trained side by side.
        tolerance: stop a run at the first of its 32 checkpoints at which its exploitability relative to the stake is at
            most this; None runs all iterations.

    Realised revenue is that of all auctions after the last checkpoint but one.
    """

    iterations: int = 1000
    batch: int = 2048
    epochs: int = 2
    minibatches: int = 2
    clip: float = 0.2
    width: int = 32
    learning_rate: float = 2e-3
    entropy: float = 0.1
    final_entropy: float = 0.01
    averaging: float = 0.01
    chunk: int = 10
    tolerance: float | None = None

    name: ClassVar[str] = "ppo"
    setting: ClassVar[Setting] = Setting(Private(levels=64), bid_levels=51)
    continuous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, "epochs", "minibatches", "width")
        check_unit(self, "averaging")
        check_decay(self, "entropy")
        if not 0 < self.clip < math.inf:
            raise AllpayError(f"clip must be above 0: got {self.clip:g}")
        if self.batch % self.minibatches:
            raise AllpayError(f"minibatches must divide the batch: got {self.minibatches} of {self.batch} auctions")

    def learn(self, games: Sequence[Game], seeds: Seeds) -> Outcome:
        return train(self, games, seeds)

    def begin(self, design: Design, key: jax.Array) -> State:
        inputs, (_, bids, bidders) = design.features.shape[1], design.utilities.shape
        key, start = jax.random.split(key)
        policy, value = (
            jax.vmap(lambda key, size=size: initial(key, [inputs, self.width, self.width, size]))(keys)
            for keys, size in zip(jax.random.split(start, (2, bidders)), (bids, 1), strict=True)
        )
        networks = Networks(policy, value)
        return State(networks, policy, self._optimiser.init(networks), key, jnp.zeros((), jnp.int32))

    def step(self, design: Design, state: State) -> tuple[State, jax.Array]:
        values, _, bidders = design.utilities.shape
        key, draw = jax.random.split(state.key)
        chance = jax.random.uniform(draw, (3, bidders, self.batch))
        weight = decay(self.entropy, self.final_entropy, state.step / self.iterations)

        value = below(chance[0], values)
        old = softmax(design, outputs(design, state.networks.policy))
        bid = draw_bids(design, old, value, chance[1])
        (_, _, utility), played = settle(design, value, bid, chance[2])

        advantage = utility - expected(design, state.networks, value)
        advantage -= advantage.mean(axis=1, keepdims=True)
        advantage /= advantage.std(axis=1, keepdims=True) + 1e-6
        batch = Batch(value, bid, utility, advantage, jax.vmap(at)(old, value, bid))

        def loss(networks: Networks, part: Batch) -> jax.Array:
            policy = softmax(design, outputs(design, networks.policy))
            ratio = jax.vmap(at)(policy, part.value, part.bid) / part.likelihood
            clipped = jnp.clip(ratio, 1 - self.clip, 1 + self.clip)
            gain = jnp.minimum(ratio * part.advantage, clipped * part.advantage).mean(axis=1)
            entropy = -jnp.sum(policy * jnp.log(jnp.maximum(policy, 1e-30)), axis=-1).mean(axis=1)
            error = expected(design, networks, part.value) - part.utility
            # bidders share no parameter, so that the gradient of the sum is each one's own
            return jnp.sum(-gain - weight * entropy + 0.5 * jnp.mean(error**2, axis=1))

        def update(carry: tuple[Networks, Any], part: Batch) -> tuple[tuple[Networks, Any], None]:
            networks, moments = carry
            updates, moments = self._optimiser.update(jax.grad(loss)(networks, part), moments)
            return (optax.apply_updates(networks, updates), moments), None

        parts = jax.tree.map(lambda x: jnp.moveaxis(x.reshape(bidders, self.minibatches, -1), 1, 0), batch)
        parts = jax.tree.map(lambda x: jnp.concatenate([x] * self.epochs), parts)
        (networks, moments), _ = jax.lax.scan(update, (state.networks, state.moments), parts)
        average = towards(state.average, networks.policy, self.averaging, state.step)
        return State(networks, average, moments, key, state.step + 1), played

    def policy(self, design: Design, state: State) -> jax.Array:
        return softmax(design, outputs(design, state.average))

    @property
    def _optimiser(self) -> Any:
        steps = self.iterations * self.epochs * self.minibatches
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, steps, 0.01))


class Batch(NamedTuple):
    """What was played, each `[bidders, auctions]`: index of value, of bid, utility, advantage, π_old(b|v)."""

    value: jax.Array
    bid: jax.Array
    utility: jax.Array
    advantage: jax.Array
    likelihood: jax.Array


def expected(design: Design, networks: Networks, value: jax.Array) -> jax.Array:
    """V(v) of each bidder at its values `[bidders, auctions]`."""
    return jnp.take_along_axis(outputs(design, networks.value)[..., 0], value, axis=1)
