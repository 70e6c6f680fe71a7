"""The exact objective of designs as a JAX function of the weights, for programs that are written in JAX.

A bridge, no more: values and gradients are those of `design_objective`, computed by NumPy in float64 on the host. Nothing
else of `allpay.theory` needs JAX, and nothing here changes how JAX is set up.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from allpay.contest.game import Game
from allpay.errors import AllpayError
from allpay.theory.designs import design_objective


def jax_objective(game: Game, rule: str, objective: str = "revenue") -> Callable[[jax.Array], jax.Array]:
    """Revenue, highest bid or a bidder's payoff at equilibrium, as a JAX function of a design's weights.

    `jax.grad`, `jax.jit` and `jax.vmap` work on it, once each or in any order; it cannot be differentiated twice, nor
    forwards. Weights `[..., n]` give values `[...]` of the same precision, with 32 bits unless JAX is told to use 64; what
    is lost is lost in the last step alone. Values and gradients are NaN where `equilibrium` finds none, and where the
    weights are no finite numbers ≥ 0, since a compiled function cannot raise.

    Args:
        game, rule, objective: as in `design_objective`.

    Raises:
        AllpayError: as `design_objective`. The function returned raises it if weights are not as many as bidders.

    >>> from allpay.contest.game import game
    >>> revenue = jax_objective(game("prizes", 1.0, 3), "prizes")
    >>> jax.grad(revenue)(jnp.array([0.8, 0.2, 0.0])).round(4)
    Array([ 0.5,  0. , -0.5], dtype=float32)
    """
    exact, n = design_objective(game, rule, objective), game.bidders

    def on_host(weights: jax.Array) -> tuple[np.ndarray, np.ndarray]:
        given = np.asarray(weights)
        w = given.astype(float)
        usable = np.all(np.isfinite(w) & (w >= 0), -1)
        values, gradients = exact(np.where(usable[..., None], w, 1.0 / n))
        dtype = given.dtype
        return (
            np.where(usable, values, np.nan).astype(dtype),
            np.where(usable[..., None], gradients, np.nan).astype(dtype),
        )

    def both(weights: jax.Array) -> tuple[jax.Array, jax.Array]:
        shapes = (
            jax.ShapeDtypeStruct(weights.shape[:-1], weights.dtype),
            jax.ShapeDtypeStruct(weights.shape, weights.dtype),
        )
        return jax.pure_callback(on_host, shapes, weights, vmap_method="expand_dims")

    @jax.custom_vjp
    def value(weights: jax.Array) -> jax.Array:
        return both(weights)[0]

    def forwards(weights: jax.Array) -> tuple[jax.Array, jax.Array]:
        return both(weights)

    def backwards(gradient: jax.Array, by_value: jax.Array) -> tuple[jax.Array]:
        return (by_value[..., None] * gradient,)

    value.defvjp(forwards, backwards)

    def function(weights: jax.Array) -> jax.Array:
        weights = jnp.asarray(weights)
        if weights.ndim == 0 or weights.shape[-1] != n:
            raise AllpayError(f"weights must be {n} numbers, one per rank: got the shape {weights.shape}")
        return value(weights.astype(jnp.result_type(weights, float)))

    return function
