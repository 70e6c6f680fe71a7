"""Weights with floors, bounds and ties, and numbers beside them, as polytopes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allpay.bounded import Beside, Bounded
from allpay.errors import AllpayError
from allpay.simplex import Box, OrderedSimplex, ends_of, every_corner, grid, looked_at, sample_ordered_simplex


def corners_by_enumeration(low, most, tied):
    """The corners as what is left of all choices of bounds that hold with equality."""
    m = len(low)
    eye = np.eye(m)
    sides = [(eye[k] - eye[k + 1], 0.0) for k in range(m - 1)] + [(eye[k], low[k]) for k in range(m)]
    sides += [] if most is None else [(-eye[0], -most)]
    equal = [(np.ones(m), 1.0)] + [(eye[k] - eye[k + 1], 0.0) for a, b in tied for k in range(a - 1, b - 1)]
    rows, right = map(np.array, zip(*sides, strict=True))
    known, value = map(np.array, zip(*equal, strict=True))
    found = set()
    for chosen in itertools.combinations(range(len(rows)), m - np.linalg.matrix_rank(known)):
        system, wanted = np.vstack([known, rows[list(chosen)]]), np.append(value, right[list(chosen)])
        if np.linalg.matrix_rank(system) < m:
            continue
        x = np.linalg.lstsq(system, wanted, rcond=None)[0]
        if np.allclose(system @ x, wanted, atol=1e-10) and np.all(rows @ x >= right - 1e-10):
            found.add(tuple(x.round(8) + 0.0))
    return found


@st.composite
def bounds(draw):
    m = draw(st.integers(2, 5))
    low = [draw(st.sampled_from([0.0, 0.0, 0.03, 0.1, 0.2])) for _ in range(m)]
    most = draw(st.none() | st.floats(1 / m, 1))
    tied = draw(st.sampled_from([(), ((1, 2),), ((m - 1, m),), ((1, m),)]))
    return m + draw(st.integers(0, 2)), tuple(low), most, tied


@given(bounds())
@settings(max_examples=60, deadline=None)
def test_corners_are_those_that_bounds_leave(given_bounds):
    n, low, most, tied = given_bounds
    try:
        where = Bounded(n, low, most, tied)
    except AllpayError:
        return  # floors that sum to more than 1, or above the most
    m = len(low)
    assert {tuple(corner[:m].round(8) + 0.0) for corner in where.corners[0]} == corners_by_enumeration(low, most, tied)
    assert np.all(where.corners[0][:, m:] == 0)
    designs = where.uniform(70, np.random.default_rng(1))
    assert np.array_equal(designs[:9], where.uniform(9, np.random.default_rng(1)))
    assert np.all(np.diff(designs) <= 0)
    assert np.all(designs[:, :m] >= low)
    assert np.allclose(designs.sum(axis=1), 1)
    assert most is None or np.all(designs[:, 0] <= most)
    assert all(np.all(designs[:, a - 1] == designs[:, b - 1]) for a, b in tied)
    assert np.allclose(where.weights(where.coordinates(designs)), designs, atol=1e-9)


@pytest.mark.parametrize(
    ("low", "most"), [((0.2, 0.1, 0.0), 0.7), ((0.0, 0.0, 0.05, 0.0, 0.0), None), ((0.35, 0, 0, 0), 0.6)]
)
def test_designs_are_uniform(low, most):
    """As those that are left of uniform ones on the whole simplex."""
    m = len(low)
    drawn = Bounded(m, low, most).uniform(20_000, np.random.default_rng(5))
    whole = sample_ordered_simplex(400_000, m, m, np.random.default_rng(6))
    kept = whole[np.all(whole >= low, axis=1) & (whole[:, 0] <= (most or 1))]
    error = kept.std(axis=0) * np.sqrt(1 / len(kept) + 3 / len(drawn))  # walks remember a little
    assert np.all(np.abs(drawn.mean(axis=0) - kept.mean(axis=0)) < 5 * error)
    assert np.allclose(drawn.std(axis=0), kept.std(axis=0), rtol=0.05)


def test_a_floor_for_many_ranks_has_few_corners():
    where = Bounded(80, (0.05,) * 5 + (0.0,) * 74)
    assert where.freedom == 78
    assert where.corners.shape[1] < 1100
    assert np.allclose(where.corners[0][:, :5].min(), 0.05)


def test_numbers_stand_beside_weights():
    where = Beside(OrderedSimplex(4, 3), 2)
    assert (where.freedom, where.cube, where.ranks) == (4, 4, 3)
    designs = where.uniform(40, np.random.default_rng(2))
    assert np.array_equal(designs[:7], where.uniform(7, np.random.default_rng(2)))
    assert np.allclose(where.weights(where.coordinates(designs)), designs)
    assert len(every_corner(where, 12)) == 12
    assert every_corner(where, 11) is None
    assert len(np.unique(ends_of(where, 8), axis=0)) == 8  # of each end of the numbers, the same two of three corners
    few, rest = looked_at(where, 100)
    assert len(few) == 12
    assert len(few) + len(rest) == 100
    points = grid(where, 200)
    assert len(points) == len(np.unique(points.round(9), axis=0)) == 10 * 4 * 4  # thirds
    alone = Beside(OrderedSimplex(3, 1), 1)
    assert np.array_equal(looked_at(alone, 5)[1][:, -1], [0, 0.25, 0.5, 0.75, 1])
    box = Beside(Box(3, (0.1, 0.0), (1.0, 0.5)), 1)
    assert box.freedom == 3
    assert len(every_corner(box, 8)) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, (0.5, 0.4, 0.3)), "floors must leave something: got 1.2 of 1"),
        ((3, (0.1, 0.1, 0.4)), "with those above in order"),
        ((3, (0.1, 0.1), 0.4), "at least 0.5 here: got at most 0.4"),
        ((3, (-0.1, 0.1)), "floor of rank 1"),
        ((2, (0.1, 0.1, 0.1)), "at most 2 ranks"),
        ((4, (0, 0, 0), None, ((2, 4),)), "within the first 3 ranks"),
        ((4, (0, 0, 0), None, ("2-3",)), "a range"),
    ],
)
def test_bounds_that_leave_nothing_say_so(arguments, message):
    with pytest.raises(AllpayError, match=message):
        Bounded(*arguments)
