"""Bidders who learn by proximal policy optimisation: each has a network for its policy and one for what a value is worth.

Sampling auctions, and training many runs side by side, is in `deep`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]

from allpay.contest.game import Game, Setting
from allpay.contest.values import Private
from allpay.errors import AllpayError, one_of
from allpay.frozen import asked, derived
from allpay.learners.base import Seeds, check_number
from allpay.learners.deep import (
    LARGEST,
    SMALLEST,
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


class Kind(Protocol):
    """A family of policies: what the outputs of a policy network mean, `[bidders, values, outputs]`.

    An action is an array `[bidders, auctions]`, as are its likelihood and the bid that it stands for.
    """

    @staticmethod
    def size(bids: int) -> int:
        """How many outputs there are."""
        ...

    @staticmethod
    def strategy(design: Design, out: jax.Array) -> jax.Array:
        """`[bidders, values, bids]` the probability of each bid of the grid."""
        ...

    @staticmethod
    def draw(design: Design, out: jax.Array, value: jax.Array, chance: jax.Array) -> jax.Array:
        """Actions at values, by uniform random numbers."""
        ...

    @staticmethod
    def bid(design: Design, value: jax.Array, action: jax.Array) -> jax.Array:
        """Indices of the bid grid, or numbers between them."""
        ...

    @staticmethod
    def likelihood(design: Design, out: jax.Array, value: jax.Array, action: jax.Array) -> jax.Array:
        """The probability, or density but for a factor that is the same for all policies, of an action."""
        ...

    @staticmethod
    def entropy(design: Design, out: jax.Array) -> jax.Array:
        """`[bidders, values]`."""
        ...


class OnGrid:
    """An output for each bid of the grid; probabilities are their softmax."""

    @staticmethod
    def size(bids: int) -> int:
        return bids

    @staticmethod
    def strategy(design: Design, out: jax.Array) -> jax.Array:
        return softmax(design, out)

    @staticmethod
    def draw(design: Design, out: jax.Array, value: jax.Array, chance: jax.Array) -> jax.Array:
        return draw_bids(design, softmax(design, out), value, chance)

    @staticmethod
    def bid(design: Design, value: jax.Array, action: jax.Array) -> jax.Array:
        return action

    @staticmethod
    def likelihood(design: Design, out: jax.Array, value: jax.Array, action: jax.Array) -> jax.Array:
        return jax.vmap(at)(softmax(design, out), value, action)

    @staticmethod
    def entropy(design: Design, out: jax.Array) -> jax.Array:
        policy = softmax(design, out)
        return -jnp.sum(policy * jnp.log(jnp.maximum(policy, 1e-30)), axis=-1)


class Continuous:
    """A squashed Gaussian: the action x is normal, with a mean and a log standard deviation from the network, and the bid is
    sigmoid(x) times the highest bid allowed. Entropy is that of x. On the grid, a bid stands for the bids nearest to it.
    """

    @staticmethod
    def size(bids: int) -> int:
        return 2

    @staticmethod
    def strategy(design: Design, out: jax.Array) -> jax.Array:
        top = (design.allowed - 1)[..., None]
        borders = (jnp.arange(len(design.bids) - 1) + 0.5) / jnp.maximum(top, 0.25)
        x = jax.scipy.special.logit(jnp.minimum(borders, 0.999999))
        mean, spread = (part[..., None] for part in moments(out))
        cumulative = jnp.where(borders < 1, jax.scipy.special.ndtr((x - mean) * jnp.exp(-spread)), 1.0)
        ends = jnp.ones_like(mean)
        return jnp.diff(jnp.concatenate([0 * ends, cumulative, ends], axis=-1), axis=-1)

    @staticmethod
    def draw(design: Design, out: jax.Array, value: jax.Array, chance: jax.Array) -> jax.Array:
        mean, spread = (jnp.take_along_axis(part, value, axis=1) for part in moments(out))
        return mean + jnp.exp(spread) * jax.scipy.special.ndtri(jnp.maximum(chance, 1e-7))

    @staticmethod
    def bid(design: Design, value: jax.Array, action: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(action) * (allowed_at(design, value) - 1)

    @staticmethod
    def likelihood(design: Design, out: jax.Array, value: jax.Array, action: jax.Array) -> jax.Array:
        mean, spread = (jnp.take_along_axis(part, value, axis=1) for part in moments(out))
        return jnp.exp(-0.5 * ((action - mean) * jnp.exp(-spread)) ** 2 - spread)

    @staticmethod
    def entropy(design: Design, out: jax.Array) -> jax.Array:
        return moments(out)[1]


def moments(out: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and log standard deviation of a squashed Gaussian, the latter kept within ±3: where nothing can be won nothing
    but the entropy bonus moves it, and that has no end."""
    return out[..., 0], 3 * jnp.tanh(out[..., 1] / 3)


BIDS: dict[str, type[Kind]] = {"grid": OnGrid, "continuous": Continuous}

ENTROPY = {"grid": (0.1, 0.005), "continuous": (0.02, 0.003)}
"""Weights of the entropy, first and last, that suit each kind of bids: entropies of probabilities and densities differ."""


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
    learners from circling, so it may not fall too low, and a small c keeps them from jumping past each other. With private
    uniform values, n = 3, `prizes`, w from .7 to 1, mean exploitability relative to the stake is .005 on the grid and .003
    with continuous bids (`benchmarks/deep.py`). Continuous bids with c = .2 end at .005 to .01, and revenue then differs by up
    to 6 % between runs (1,000 steps, 2 rounds).

    Attributes:
        iterations: steps of a run, each one batch of auctions.
        batch: auctions sampled in a step.
        epochs, minibatches: how often a batch is gone through, and in how many parts. Auctions of a batch are independent
            draws, so parts need no shuffling.
        clip: c.
        width: units in each of two hidden layers, in either network.
        learning_rate: of Adam; falls to 1 % along a cosine.
        bids: `grid` for a probability of every bid of the grid; `continuous` for a squashed Gaussian on all bids up to the
            highest, which is put on the grid only to be judged.
        entropy, final_entropy: weight of the mean entropy over values, at the start and at the end; it falls geometrically.
            What suits the kind of bids if not given: .1 and .005, or .02 and .003.
        averaging: what a step counts in the average of the policies.
        chunk: how many runs are trained side by side.
        tolerance: stop a run at the first of its 32 checkpoints at which its distance from equilibrium is at
            most this; None runs all iterations.

    Realised revenue is that of all auctions after the last checkpoint but one.
    """

    iterations: int = 1000
    batch: int = 2048
    epochs: int = 1
    minibatches: int = 4
    clip: float = 0.1
    width: int = 32
    learning_rate: float = 2e-3
    bids: str = "grid"
    entropy: float = None  # type: ignore[assignment]  # never None once it is made, nor the next
    final_entropy: float = None  # type: ignore[assignment]
    averaging: float = 0.003
    chunk: int = 10
    tolerance: float | None = None

    name: ClassVar[str] = "ppo"
    setting: ClassVar[Setting] = Setting(Private(levels=64), bid_levels=51)
    continuous: ClassVar[bool] = True
    resumable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        usual = ENTROPY[one_of("kind of bids", self.bids, BIDS)]
        for name, weight in zip(("entropy", "final_entropy"), usual, strict=True):
            if asked(getattr(self, name)) is None:
                object.__setattr__(self, name, derived(weight))
        check(self, "epochs", "minibatches", "width")
        check_unit(self, "averaging")
        check_decay(self, "entropy")
        check_number("clip", self.clip, SMALLEST, LARGEST)
        if self.batch % self.minibatches:
            raise AllpayError(f"minibatches must divide the batch: got {self.minibatches} of {self.batch} auctions")

    def bytes_needed(self, bidders: int, values: int, bids: int, runs: int, groups: int = 1) -> float:
        outputs = BIDS[self.bids].size(bids)
        return bytes_needed(self, outputs, bidders, values, bids, runs, groups)

    def learn(self, games: Sequence[Game], seeds: Seeds, checkpoint: Path | None = None) -> Outcome:
        return train(self, games, seeds, checkpoint)

    def begin(self, design: Design, key: jax.Array) -> State:
        inputs, bids, bidders = design.features.shape[-1], len(design.bids), design.bidders
        key, start = beginning(self, key)
        keys_of_kinds = jax.random.split(start, 2 * bidders).reshape(2, bidders)
        policy, value = (
            jax.vmap(lambda key, size=size: initial(key, [inputs, self.width, self.width, size]))(keys)
            for keys, size in zip(keys_of_kinds, (BIDS[self.bids].size(bids), 1), strict=True)
        )
        networks = Networks(policy, value)
        return State(networks, policy, self._optimiser.init(networks), key, jnp.zeros((), jnp.int32))

    def step(self, design: Design, state: State) -> tuple[State, jax.Array]:
        kind, bidders = BIDS[self.bids], design.bidders
        key, draw = jax.random.split(state.key)
        chance = uniform(draw, 3, bidders, self.batch)
        weight = decay(self.entropy, self.final_entropy, state.step / self.iterations)

        value = below(chance[0], design.values)
        old = outputs(design, state.networks.policy)
        action = kind.draw(design, old, value, chance[1])
        rest = chance_of(design, draw, self.batch)
        there = None if rest is None else rest.there
        (_, _, utility), played = settle(design, value, kind.bid(design, value, action), chance[2], rest)

        advantage = utility - expected(design, state.networks, value)
        advantage -= mean(advantage, there)[:, None]
        advantage /= (advantage.std(axis=1) if there is None else jnp.sqrt(mean(advantage**2, there)))[:, None] + 1e-6
        batch = Batch(value, action, utility, advantage, kind.likelihood(design, old, value, action), there)

        def loss(networks: Networks, part: Batch) -> jax.Array:
            out = outputs(design, networks.policy)
            ratio = kind.likelihood(design, out, part.value, part.action) / part.likelihood
            clipped = jnp.clip(ratio, 1 - self.clip, 1 + self.clip)
            gain = mean(jnp.minimum(ratio * part.advantage, clipped * part.advantage), part.there)
            entropy = kind.entropy(design, out).mean(axis=1)
            error = expected(design, networks, part.value) - part.utility
            # bidders share no parameter, so that the gradient of the sum is each one's own
            return jnp.sum(-gain - weight * entropy + 0.5 * mean(error**2, part.there))

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
        return BIDS[self.bids].strategy(design, outputs(design, state.average))

    @property
    def _optimiser(self) -> Any:
        steps = self.iterations * self.epochs * self.minibatches
        return optax.adam(optax.cosine_decay_schedule(self.learning_rate, steps, 0.01))


class Batch(NamedTuple):
    """What was played, each `[bidders, auctions]`: index of value, action, utility, advantage, π_old(b|v); and whether the
    bidder was there, None where all always are."""

    value: jax.Array
    action: jax.Array
    utility: jax.Array
    advantage: jax.Array
    likelihood: jax.Array
    there: jax.Array | None


def mean(numbers: jax.Array, there: jax.Array | None) -> jax.Array:
    """`[bidders]` the mean over the auctions in which a bidder was there, of numbers `[bidders, auctions]`."""
    if there is None:
        return numbers.mean(axis=1)
    return jnp.sum(numbers * there, axis=1) / jnp.maximum(jnp.sum(there, axis=1), 1)


def expected(design: Design, networks: Networks, value: jax.Array) -> jax.Array:
    """V(v) of each bidder at its values `[bidders, auctions]`."""
    return jnp.take_along_axis(outputs(design, networks.value)[..., 0], value, axis=1)
