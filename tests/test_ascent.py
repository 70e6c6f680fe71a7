"""Mirror ascent on the ordered simplex: coordinates, sampling, and optima that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allpay.ascent import mirror_ascent, polish
from allpay.errors import AllpayError
from allpay.simplex import Box, candidates, from_vertices, sample_ordered_simplex, to_vertices, vertices

SIZES = [(2, 2), (3, 2), (3, 3), (5, 5), (10, 4)]


def draws(count, n, m, seed=0):
    return sample_ordered_simplex(count, n, m, np.random.default_rng(seed))


def linear(c):
    return lambda w: (w @ c, np.broadcast_to(c, w.shape))


def quadratic(target):
    return lambda w: (1.0 - np.sum((w - target) ** 2, axis=1), -2 * (w - target))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda x: sum(x) > 1e-3), st.integers(0, 3))
def test_weights_of_any_coordinates_are_ordered_and_come_back(parts, zeros):
    lam = np.array(parts) / np.sum(parts)
    weights = from_vertices(lam, len(lam) + zeros)
    assert np.all(np.diff(weights) <= 0)  # exactly, not within a tolerance
    assert np.all(weights >= 0)
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(to_vertices(weights, len(lam)), lam, atol=1e-14)
    np.testing.assert_allclose(weights, lam @ vertices(len(weights), len(lam)), atol=1e-15)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_every_weights_on_the_way_are_ordered(n, m):
    seen = []

    def watched(w):
        seen.append(w)
        return np.sin(9 * w).sum(axis=1), 9 * np.cos(9 * w)

    found = mirror_ascent(watched, draws(16, n, m), ranks=m, iterations=100)
    for w in [*seen, found.all_weights]:
        assert np.all(np.diff(w, axis=1) <= 0)
        assert np.all(w >= 0)
        assert np.all(w[:, m:] == 0)
        np.testing.assert_allclose(w.sum(axis=1), 1, atol=1e-13)


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("corner", [0, -1])
def test_a_linear_objective_ends_in_a_corner(n, m, corner):
    target = vertices(n, m)[corner]
    c = np.arange(n, 0, -1.0) if corner == 0 else -np.arange(n, 0, -1.0)
    found = mirror_ascent(linear(c), draws(8, n, m), ranks=m)
    np.testing.assert_allclose(found.all_weights, np.tile(target, (8, 1)), atol=1e-9)
    assert found.value == pytest.approx(c @ target, abs=1e-9)
    assert found.converged.all()


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_a_quadratic_objective_ends_at_its_peak(n, m):
    target = draws(1, n, m, seed=5)[0]
    found = mirror_ascent(quadratic(target), draws(8, n, m), ranks=m)
    np.testing.assert_allclose(found.all_weights, np.tile(target, (8, 1)), atol=1e-6)


def test_a_peak_at_a_corner_where_the_gradient_vanishes_is_reached():
    found = mirror_ascent(quadratic(np.array([1.0, 0, 0])), draws(8, 3, 2), ranks=2)
    assert np.all(found.all_weights[:, 0] > 1 - 2e-6)


def test_starting_in_the_wrong_corner_does_not_hold_it_there():
    found = mirror_ascent(linear(np.array([1.0, 0, 0])), [[0.5, 0.5, 0.0]], ranks=2)
    assert found.weights[0] == pytest.approx(1, abs=1e-9)


def test_a_step_is_the_exponentiated_gradient():
    """The mirror map's gradient log λ moves along the gradient of f in λ, which must be U ∇_w f (finite differences)."""
    n, m, h = 4, 3, 1e-6
    lam = np.array([0.2, 0.5, 0.3])
    c, target = np.array([3.0, -1, 2, 0]), np.array([0.6, 0.3, 0.1, 0])

    def objective(w):
        return w @ c + quadratic(target)(w)[0], c + quadratic(target)(w)[1]

    seen = []

    def watched(w):
        seen.append(w)
        return objective(w)

    mirror_ascent(watched, from_vertices(lam, n)[None], ranks=m, iterations=1)
    before, after = (to_vertices(w, m)[0] for w in seen[:2])
    steps = before + h * np.eye(m)
    down = before - h * np.eye(m)
    slope = (objective(steps @ vertices(n, m))[0] - objective(down @ vertices(n, m))[0]) / (2 * h)
    moved = np.log(after) - np.log(before)
    np.testing.assert_allclose(moved - moved[0], (slope - slope[0]) / np.ptp(slope), atol=1e-7)


def test_no_start_falls_on_a_rough_landscape():
    def rough(w):
        return np.cos(40 * w).sum(axis=1), -40 * np.sin(40 * w)

    starts = draws(64, 4, 4)
    found = mirror_ascent(rough, starts)
    inside = from_vertices((1 - 1e-4) * to_vertices(starts) + 1e-4 / 4, 4)
    assert np.all(found.all_values >= rough(inside)[0])
    assert found.value == found.all_values.max()


def test_where_the_objective_is_nan_is_never_the_best():
    def half_defined(w):
        return np.where(w[:, 0] > 0.7, np.nan, w[:, 0]), np.tile([1.0, 0, 0], (len(w), 1))

    found = mirror_ascent(half_defined, draws(16, 3, 2), ranks=2)
    assert found.weights[0] <= 0.7
    assert found.weights[0] == pytest.approx(0.7, abs=1e-3)
    assert np.all(found.all_values[draws(16, 3, 2)[:, 0] > 0.71] == -np.inf)
    assert not np.any(found.converged & np.isinf(found.all_values))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_polishing_comes_to_the_peak_in_few_evaluations(n, m, scale):
    target, calls = draws(1, n, m, seed=5)[0], []

    def objective(w):
        calls.append(w)
        value, slope = quadratic(target)(w)
        return scale * value, scale * slope

    weights, value = polish(objective, draws(1, n, m)[0], ranks=m)
    np.testing.assert_allclose(weights, target, atol=1e-5)
    assert value == pytest.approx(scale)
    assert len(calls) < 60
    for w in calls:
        assert np.all(np.diff(w, axis=1) <= 0)
        np.testing.assert_allclose(w.sum(axis=1), 1, atol=1e-13)
    corner, highest = polish(linear(np.arange(n, 0, -1.0)), draws(1, n, m)[0], ranks=m)
    np.testing.assert_allclose(corner, vertices(n, m)[0], atol=1e-9)
    assert highest == pytest.approx(n)


def test_polishing_never_ends_below_its_start_nor_where_nothing_is_defined():
    start = np.array([0.6, 0.4, 0])

    def half_defined(w):
        return np.where(w[:, 0] > 0.7, np.nan, w[:, 0]), np.tile([1.0, 0, 0], (len(w), 1))

    weights, value = polish(half_defined, start, ranks=2)
    assert 0.6 <= value == weights[0] <= 0.7
    assert polish(lambda w: (-np.cos(40 * w).sum(axis=1), 40 * np.sin(40 * w)), start)[1] >= -np.cos(40 * start).sum()
    with pytest.raises(AllpayError, match="nonincreasing"):
        polish(half_defined, [0.3, 0.7, 0])


def test_nan_everywhere_is_refused():
    with pytest.raises(AllpayError, match="not defined at any of the 4 starts"):
        mirror_ascent(lambda w: (np.full(len(w), np.nan), w), draws(4, 3, 2), ranks=2)


def test_a_constant_objective_stays_and_converges():
    found = mirror_ascent(lambda w: (np.ones(len(w)), np.zeros_like(w)), draws(4, 3, 2), ranks=2)
    assert found.converged.all()
    assert found.iterations == 1


@pytest.mark.parametrize("bad", [[0.3, 0.7, 0], [0.5, 0.3, 0.1], [0.5, 0.3, 0.2], [1.1, -0.1, 0]])
def test_a_start_off_the_ordered_simplex_is_refused(bad):
    with pytest.raises(AllpayError, match="nonincreasing"):
        mirror_ascent(linear(np.ones(3)), [bad], ranks=2)


@pytest.mark.parametrize("m", [0, 4])
def test_too_many_or_no_ranks_are_refused(m):
    with pytest.raises(AllpayError, match=f"between 1 and 3 ranks of 3 can carry weight: got {m}"):
        draws(1, 3, m)


def test_the_sample_is_uniform_on_the_ordered_simplex():
    w = draws(200_000, 3, 2)[:, 0]  # uniform on [½, 1]
    assert w.min() >= 0.5
    np.testing.assert_allclose([w.mean(), w.var(), np.mean(w**4)], [0.75, 1 / 48, 31 / 80], atol=1e-3)
    # λ is then uniform on the simplex too: E λ_k = 1/m, Var λ_k = (m − 1) / (m² (m + 1)), Cov = −1 / (m² (m + 1))
    m = 4
    lam = to_vertices(draws(200_000, 6, m), m)
    np.testing.assert_allclose(lam.mean(axis=0), 1 / m, atol=2e-3)
    np.testing.assert_allclose(np.cov(lam.T), (np.eye(m) - 1 / m) / (m * (m + 1)), atol=1e-3)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(0, 3), st.integers(5, 50))
def test_candidates_are_designs_and_hold_the_corners(m, zeros, count):
    designs = candidates(m + zeros, m, count)
    assert np.all(np.diff(designs, axis=1) <= 0)
    np.testing.assert_allclose(designs.sum(axis=1), 1, atol=1e-14)
    for corner in vertices(m + zeros, m):
        assert np.abs(designs - corner).sum(axis=1).min() < 1e-12
    assert len(designs) == (1 if m == 1 else max(count, m))


def test_polishing_in_the_box_ends_at_its_own_maximum():
    where = Box(3, (0.0,) * 3, (1.0,) * 3)
    peak = np.array([0.7, 0.2, 1.4])  # outside in the last, where the border is best

    def parabola(w):
        return -np.sum((w - peak) ** 2, axis=1), -2 * (w - peak)

    weights, value = polish(parabola, np.array([0.5, 0.5, 0.5]), polytope=where)
    np.testing.assert_allclose(weights, [0.7, 0.2, 1.0], atol=1e-6)
    assert value == pytest.approx(-0.16, abs=1e-9)
