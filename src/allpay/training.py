"""Small networks trained side by side, by JAX: the part of `surrogate` that needs a compiler, loaded when one is fitted."""

from functools import lru_cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]
from numpy.typing import NDArray

from allpay.precision import pinned

Single = NDArray[np.float32]
Layers = tuple[tuple[Single, ...], tuple[Single, ...]]


@pinned
def trained(
    start: Layers,
    x: Single,
    y: Single,
    drawn: Single,
    unseen: Single,
    together: Single,
    steps: int,
    learning_rate: float,
) -> Layers:
    """All members trained side by side, those of a fold each as it was when all of them did best on the designs kept for it.

    Args:
        start: a pair, a matrix `[members, inputs, units]` of each layer and biases `[members, units]`; the last has one unit.
        x: `[designs, inputs]`.
        y: `[members, designs]` what each member is to say.
        drawn: `[members, designs]` how often a member is to count a design.
        unseen: `[members, designs]` 1 for the designs that say when to stop.
        together: `[members, members]` 1 for members of one fold.
        steps: full-batch steps of Adam, its rate falling to 0 along a cosine.
        learning_rate: the rate at the first step.
    """
    sizes = (*(len(matrix[0]) for matrix in start[0]), 1)
    program = program_for(len(x), len(y), sizes, steps, learning_rate)
    found: Layers = jax.tree.map(np.asarray, program(tuple(start), x, y, drawn, unseen, together))
    return found


@lru_cache(maxsize=16)
@pinned
def program_for(designs: int, members: int, sizes: tuple[int, ...], steps: int, learning_rate: float) -> Any:
    """What `trained` runs, compiled for so many designs and members, whose layers have these sizes, inputs and output too."""

    def numbers(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, np.float32)

    matrices = tuple(numbers(members, a, b) for a, b in pairwise(sizes))
    biases = tuple(numbers(members, b) for b in sizes[1:])
    each = numbers(members, designs)
    lowered = jax.jit(train, static_argnames=("steps", "learning_rate")).lower(
        *((matrices, biases), numbers(designs, sizes[0]), each, each, each, numbers(members, members)),
        *(steps, learning_rate),
    )
    return lowered.compile()


def output(network: Any, x: jax.Array) -> jax.Array:
    """What one member says of the designs `[designs, inputs]`: smooth units (x·sigmoid x) between its layers."""
    *hidden, last = zip(*network, strict=True)
    for matrix, bias in hidden:
        x = jax.nn.silu(x @ matrix + bias)
    return (x @ last[0] + last[1])[:, 0]


def train(
    start: Any,
    x: jax.Array,
    y: jax.Array,
    drawn: jax.Array,
    unseen: jax.Array,
    together: jax.Array,
    steps: int,
    learning_rate: float,
) -> Any:
    """See `trained`."""
    adam = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))
    kept = together @ jnp.sum(unseen, axis=1)

    def losses(network: Any, y: jax.Array, drawn: jax.Array, unseen: jax.Array) -> tuple[jax.Array, jax.Array]:
        square = (output(network, x) - y) ** 2
        return jnp.sum(drawn * square) / jnp.sum(drawn), jnp.sum(unseen * square)

    slopes = jax.vmap(jax.value_and_grad(losses, has_aux=True))

    def step(state: Any, _: None) -> tuple[Any, None]:
        networks, moments, best, lowest = state
        (_loss, wrong), gradients = slopes(networks, y, drawn, unseen)
        check = together @ wrong / kept
        better = check < lowest

        def taken(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        best = jax.tree.map(taken, networks, best)
        updates, moments = adam.update(gradients, moments)
        return (optax.apply_updates(networks, updates), moments, best, jnp.minimum(check, lowest)), None

    begin = (start, adam.init(start), start, jnp.full(len(kept), jnp.inf, y.dtype))
    (_, _, best, _), _ = jax.lax.scan(step, begin, length=steps)
    return best
