"""The bridge to JAX: same numbers as NumPy's, under every transformation, and JAX left as it was."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allpay.contest.game import Game, game
from allpay.contest.mechanism import mechanism
from allpay.contest.values import Common, Private, Uniform
from allpay.errors import AllpayError
from allpay.theory import design_objective
from allpay.theory.jax import jax_objective

W = np.array([[0.5, 0.3, 0.2], [0.8, 0.15, 0.05], [0.6, 0.35, 0.05]])
SETTINGS = [
    (game("prizes", 0.8, 3, cost_power=2.0), "prizes"),
    (Game(mechanism("prizes", 0.8), Common(), risk_aversion=2.0), "prizes"),
    (Game(mechanism("payments", 0.8), Private(Uniform(1, 2)), risk_aversion=1.0), "payments"),
    (Game(mechanism("prizes", 0.8), max_bid=0.3), "prizes"),
]


@pytest.mark.parametrize("objective", ["revenue", "highest-bid", "payoff"])
@pytest.mark.parametrize(("g", "rule"), SETTINGS, ids=str)
def test_values_and_gradients_are_those_of_numpy(g, rule, objective):
    values, gradients = design_objective(g, rule, objective)(W)
    with jax.enable_x64(True):
        f, w = jax_objective(g, rule, objective), jnp.array(W)
        for found in (f(w), jax.jit(f)(w), jax.vmap(f)(w), jax.jit(jax.vmap(f))(w), jnp.stack([f(x) for x in w])):
            np.testing.assert_allclose(found, values, rtol=1e-15)
        for found in (
            jax.vmap(jax.grad(f))(w),
            jax.jit(jax.vmap(jax.grad(f)))(w),
            jax.grad(lambda x: f(x).sum())(w),
            jnp.stack([jax.jit(jax.value_and_grad(f))(x)[1] for x in w]),
        ):
            np.testing.assert_allclose(found, gradients, rtol=1e-15)


def test_it_is_a_link_of_a_longer_chain():
    """Weights by a softmax, a scaled objective: against differences of the whole."""
    with jax.enable_x64(True):
        f = jax_objective(game("prizes", 0.8, 3, values="common", cost_power=2.0), "prizes")

        def whole(x):
            return 3 * jnp.log(f(jnp.sort(jax.nn.softmax(x))[::-1]))

        x, h = jnp.array([0.7, 0.1, -0.5]), 1e-5
        differences = [(whole(x + step) - whole(x - step)) / (2 * h) for step in h * jnp.eye(3)]
        np.testing.assert_allclose(jax.jit(jax.grad(whole))(x), differences, atol=1e-8)


def test_precision_is_that_of_the_weights_and_is_not_switched():
    f = jax_objective(game("prizes", 0.8, 3), "prizes")
    assert not jax.config.jax_enable_x64
    for w in (W[1], W[1].astype(np.float32), W[1].tolist()):
        assert f(w).dtype == jax.grad(f)(jnp.asarray(w)).dtype == jnp.float32
    assert f([1, 0, 0]).dtype == jnp.float32
    assert not jax.config.jax_enable_x64
    assert f(W[1]) == pytest.approx(design_objective(game("prizes", 0.8, 3), "prizes")(W[1])[0], rel=1e-6)


def test_no_equilibrium_is_no_number():
    f = jax_objective(game("payments", 0.6, 3, overbidding=False), "payments")
    w = jnp.array([[0.6, 0.4, 0], [0.9, 0.1, 0], [1.1, -0.1, 0], [jnp.nan, 0, 0]])
    values, gradients = jax.jit(jax.vmap(jax.value_and_grad(f)))(w)
    assert np.isfinite(values).tolist() == [False, True, False, False]
    assert np.isfinite(gradients).all(axis=1).tolist() == [False, True, False, False]


def test_what_does_not_fit_is_refused():
    with pytest.raises(AllpayError, match="did you mean 'highest-bid'"):
        jax_objective(game("prizes", 0.8, 3), "prizes", "highest_bid")
    f = jax_objective(game("prizes", 0.8, 3), "prizes")
    for weights in ([0.5, 0.5], 1.0):
        with pytest.raises(AllpayError, match="weights must be 3 numbers, one per rank: got the shape"):
            jax.jit(f)(jnp.array(weights))


def test_theory_needs_no_jax():
    code = "import sys, allpay.theory; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
