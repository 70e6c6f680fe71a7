"""The ensemble: how well it fits what is known, its gradient, and what it refuses."""

import time

import numpy as np
import pytest

from allpay.errors import AllpayError
from allpay.simplex import candidates, sample_ordered_simplex
from allpay.surrogate import fit_surrogate
from allpay.training import program_for

GRID = candidates(3, 2, 501)


def simulated(curve, noise, seed=0, designs=50, rounds=10, n=3, m=2):
    rng = np.random.default_rng(seed)
    weights = sample_ordered_simplex(designs, n, m, rng)
    return weights, curve(weights)[:, None] + noise * rng.standard_normal((designs, rounds))


def half(w):
    return w[:, 0] / 2


def peak(w):
    return 0.9 - (w[:, 0] - 0.62) ** 2


@pytest.fixture(scope="module")
def fitted():
    return fit_surrogate(*simulated(peak, 0.02), seed=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_line_is_learned_to_its_end(seed):
    surrogate = fit_surrogate(*simulated(half, 5e-4, seed), seed=seed)
    mean, sd = surrogate.predict(GRID)
    assert surrogate.rmse <= 0.002
    assert surrogate.r2 >= 0.999
    assert GRID[np.argmax(mean), 0] >= 0.99
    np.testing.assert_allclose(mean, half(GRID), atol=0.001)
    assert np.all(sd < 0.003)


def test_noise_is_not_learned():
    surrogate = fit_surrogate(*simulated(lambda w: np.ones(len(w)), 0.02), seed=0)
    mean, sd = surrogate.predict(GRID)
    assert -0.3 < surrogate.r2 < 0.1
    assert np.ptp(mean) < 0.02 / np.sqrt(10)  # less than the standard error of one design
    assert surrogate.rmse == pytest.approx(0.02 / np.sqrt(10), rel=0.3)
    assert np.all(np.abs(mean - 1) < 3 * sd + 1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_peak_in_the_middle_is_found(seed):
    surrogate = fit_surrogate(*simulated(peak, 0.02, seed), seed=seed)
    mean, _ = surrogate.predict(GRID)
    assert GRID[np.argmax(mean), 0] == pytest.approx(0.62, abs=0.02)


def test_many_ranks_are_learned():
    def curve(w):
        return np.sqrt(w + 0.05).sum(axis=1)

    surrogate = fit_surrogate(*simulated(curve, 0.005, designs=150, n=6, m=4), seed=0, members=20, steps=500)
    fresh = sample_ordered_simplex(200, 6, 4, np.random.default_rng(9))
    assert surrogate.r2 > 0.97
    assert np.corrcoef(surrogate.predict(fresh)[0], curve(fresh))[0, 1] > 0.99


def test_the_gradient_is_that_of_the_mean(fitted):
    points, h = GRID[25::90], 0.01  # float32: the step balances rounding against curvature
    value, gradient = fitted.value_and_gradient(points)
    np.testing.assert_allclose(value, fitted.predict(points)[0], atol=1e-5)
    for k in range(3):
        up, down = (fitted.members(points + s * h * np.eye(3)[k]).mean(axis=0) for s in (1, -1))
        np.testing.assert_allclose(gradient[:, k], (up - down) / (2 * h), atol=3e-3)
    assert np.abs(gradient).max() > 0.1


def test_the_gradient_of_each_member_is_its_own(fitted):
    points, h = GRID[25::90], 0.01
    value, gradient = fitted.members_and_gradients(points)
    np.testing.assert_allclose(value, fitted.members(points), atol=1e-6)
    assert gradient.shape == (60, 6, 3)
    for k in range(3):
        up, down = (fitted.members(points + s * h * np.eye(3)[k]) for s in (1, -1))
        np.testing.assert_allclose(gradient[..., k], (up - down) / (2 * h), atol=0.02)
    np.testing.assert_allclose(gradient.mean(axis=0), fitted.value_and_gradient(points)[1], atol=1e-5)


def test_a_quadratic_of_many_ranks_is_learned_from_few_designs():
    """Eight weights have 36 quadratic terms; a network alone would have learned little from 60 designs."""
    rng = np.random.default_rng(0)
    bend = rng.standard_normal((9, 9))

    def curve(w):
        return np.sum((w @ bend) * w, axis=1)

    surrogate = fit_surrogate(*simulated(curve, 1e-4, designs=60, n=9, m=8), seed=0, members=20, steps=100)
    fresh = sample_ordered_simplex(300, 9, 8, np.random.default_rng(9))
    error = surrogate.predict(fresh)[0] - curve(fresh)
    assert surrogate.r2 > 0.97
    assert error.std() < 0.05 * curve(fresh).std()


@pytest.mark.parametrize("designs", [10, 20, 40])
def test_members_do_not_run_away_where_designs_are_fewer_than_terms(designs):
    def curve(w):
        return 1 + 0.1 * np.sqrt(w + 0.01).sum(axis=1)

    for seed in range(3):
        surrogate = fit_surrogate(*simulated(curve, 1e-3, seed, designs, 3, n=9, m=8), seed=seed, members=20, steps=50)
        every = surrogate.members(candidates(9, 8, 300))
        assert np.all(np.abs(every - 1.2) < 0.6)


def test_mean_and_spread_are_those_of_the_members(fitted):
    every = fitted.members(GRID)
    mean, sd = fitted.predict(GRID)
    assert every.shape == (60, 501)
    np.testing.assert_array_equal(mean, every.mean(axis=0))
    np.testing.assert_array_equal(sd, every.std(axis=0, ddof=1))
    np.testing.assert_allclose(
        fitted.members(GRID[:3]), every[:, :3], atol=1e-6
    )  # however many points are asked at once


def test_the_same_seed_gives_the_same_bits_without_compiling_again(fitted):
    start = time.perf_counter()
    again = fit_surrogate(*simulated(peak, 0.02), seed=0)
    other = fit_surrogate(*simulated(peak, 0.02), seed=1)
    assert time.perf_counter() - start < 10  # 1 s on 2 cores
    np.testing.assert_array_equal(again.members(GRID), fitted.members(GRID))
    assert (again.r2, again.rmse) == (fitted.r2, fitted.rmse)
    assert np.any(other.members(GRID) != fitted.members(GRID))


def test_held_out_designs_are_not_trained_on():
    """Pure noise: a member that had seen a design would predict it better than the mean of the others does."""
    rng = np.random.default_rng(0)
    weights = sample_ordered_simplex(12, 6, 6, rng)
    scores = [fit_surrogate(weights, rng.standard_normal(12), seed=s, members=12, steps=300).r2 for s in range(4)]
    assert np.mean(scores) < 0


def test_constant_outputs_are_predicted_as_they_are():
    surrogate = fit_surrogate(simulated(half, 0)[0], np.full((50, 10), 0.3), seed=0)
    value, gradient = surrogate.value_and_gradient(GRID)
    assert (surrogate.r2, surrogate.rmse) == (0.0, 0.0)
    np.testing.assert_allclose(value, 0.3, atol=1e-15)
    np.testing.assert_array_equal(gradient, 0)  # a constant column of weights, the third, included


def test_large_offsets_and_small_units_are_scaled_away():
    weights, values = simulated(half, 5e-4)
    plain, moved = fit_surrogate(weights, values, seed=0), fit_surrogate(weights, 1e3 + 1e-3 * values, seed=0)
    np.testing.assert_allclose((moved.members(GRID) - 1e3) / 1e-3, plain.members(GRID), atol=1e-3)


def test_one_round_and_five_designs_are_enough():
    weights, values = simulated(half, 0.01, designs=5, rounds=1)
    surrogate = fit_surrogate(weights, values[:, 0], seed=0, members=10, steps=50)
    assert np.all(np.isfinite(surrogate.members(GRID)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, y: (w[:4], y[:4]), "at least 5 designs: got 4; sample more"),
        (
            lambda w, y: (w, np.where(np.arange(500).reshape(50, 10) == 123, np.nan, y)),
            "values .* got nan in design 13 ",
        ),
        (
            lambda w, y: (np.where(w == w[7, 0], np.inf, w), y),
            "weights .* got inf in design 8 .*leave such designs out",
        ),
        (lambda w, y: (w, y[:-1]), r"shapes \(50, 3\) and \(49, 10\)"),
    ],
)
def test_data_that_cannot_be_fitted_are_refused(change, message):
    with pytest.raises(AllpayError, match=message):
        fit_surrogate(*change(*simulated(half, 0.01)), seed=0)


@pytest.mark.parametrize("options", [{"folds": 1}, {"folds": 51}, {"members": 4}])
def test_folds_that_cannot_be_dealt_are_refused(options):
    with pytest.raises(AllpayError, match="folds"):
        fit_surrogate(*simulated(half, 0.01), seed=0, **options)


def test_weights_of_another_game_are_refused(fitted):
    with pytest.raises(AllpayError, match=r"weights \[points, 3\]: got an array of shape \(2, 4\)"):
        fitted.predict(np.ones((2, 4)) / 4)


def test_one_compilation_serves_all_fits_of_one_shape(fitted):
    before = program_for.cache_info().misses
    fit_surrogate(*simulated(half, 0.01, seed=3), seed=8)
    assert program_for.cache_info().misses == before
