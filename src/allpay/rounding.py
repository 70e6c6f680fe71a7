"""Designs that can be announced: weights in whole steps, as prizes of 250 each or parts of 5 %, and what that costs.

It sees the objective as a function of points alone.
"""

from collections.abc import Callable
from math import gcd

import numpy as np
from numpy.typing import NDArray

from allpay.errors import AllpayError
from allpay.study.space import DesignSpace

Array = NDArray[np.float64]
Value = Callable[[Array], Array]
"""Points `[points, n]` of the polytope of designs to the objective `[points]`."""

MOST_GROUPS = 24
"""The weights of so many ranks, or groups of ranks that get the same, are moved at most: those that carry any, and the next."""

ROUNDING = 1e-9
"""By so much of a step a number may miss it."""


def in_steps(value: Value, space: DesignSpace, point: Array, step: float) -> Array:
    """A design near the best whose weights are whole multiples of a step.

    From the nearest one to the best, weight is moved from rank to rank as long as that brings more.

    Args:
        value: the objective.
        space: the designs that are allowed, of which the result is one.
        point: `[n]` the best, a point of the polytope.
        step: a part of 1, of which 1 is a multiple; in a box, a part of a bid.

    Raises:
        AllpayError: if no design has such weights.
    """
    best = np.array(point, float)
    if space.box:
        low, high = space.weights.corners[:, 0].max(axis=1), space.weights.corners[:, 1].max(axis=1)
        whole = np.clip(
            np.round(best[: len(low)] / step), np.ceil(low / step - ROUNDING), np.floor(high / step + ROUNDING)
        )
        if np.any(whole * step < low - ROUNDING):
            raise AllpayError(f"no design has weights in steps of {step:g} within these bounds: give a smaller step")
        best[: len(low)] = whole * step
        return best
    groups = _groups(space)
    counts = _nearest(space, groups, best, step)
    sizes = np.array([len(group) for group in groups])
    while True:
        moves = _moves(counts, sizes)
        tried = np.array([counts, *(counts + move for move in moves)])
        tried = tried[_allowed(tried, space, groups, step)]
        points = np.stack([_point(best, groups, row, step) for row in tried])
        values = np.asarray(value(points), float)
        values = np.where(np.isfinite(values), values, -np.inf)
        first = int(values.argmax())
        if values[first] <= values[0] + 1e-12 * abs(values[0]):
            return np.asarray(points[0])
        counts = tried[first]


def _groups(space: DesignSpace) -> list[list[int]]:
    """The ranks, counted from 0, that get the same: of most groups there is one rank in each."""
    groups: list[list[int]] = [[0]]
    held = {rank for first, last in space.tied for rank in range(first, last)}
    for rank in range(1, space.dimension):
        if rank in held:
            groups[-1].append(rank)
        else:
            groups.append([rank])
    return groups


def _point(best: Array, groups: list[list[int]], counts: NDArray[np.int64], step: float) -> Array:
    """The design in which each rank of a group gets so many steps."""
    found = best.copy()
    for group, count in zip(groups, counts, strict=True):
        found[group] = count * step
    return found


def _bounds(space: DesignSpace, groups: list[list[int]], step: float) -> tuple[Array, Array]:
    """`[groups]` the fewest and the most steps that each may get."""
    floors = np.array(space.floors)
    low = np.array([np.ceil(floors[group].max() / step - ROUNDING) for group in groups])
    high = np.full(len(groups), np.floor((space.first_at_most or 1.0) / step + ROUNDING))
    return low, high


def _allowed(tried: NDArray[np.int64], space: DesignSpace, groups: list[list[int]], step: float) -> NDArray[np.bool_]:
    low, high = _bounds(space, groups, step)
    inside = np.all((tried >= low) & (tried <= high), axis=1)
    ordered: NDArray[np.bool_] = inside & np.all(np.diff(tried, axis=1) <= 0, axis=1)
    return ordered


def _nearest(space: DesignSpace, groups: list[list[int]], best: Array, step: float) -> NDArray[np.int64]:
    """`[groups]` the steps of the design nearest to the best in the sum of differences, by integer programming."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    count, total = len(groups), round(1 / step)
    sizes = np.array([len(group) for group in groups], float)
    goal = np.array([best[group].mean() for group in groups]) / step
    low, high = _bounds(space, groups, step)
    eye = np.eye(count)
    falls = eye[:-1] - eye[1:]
    none = np.zeros((len(falls), count))
    found = milp(
        np.concatenate([np.zeros(count), sizes]),
        integrality=np.concatenate([np.ones(count), np.zeros(count)]),
        bounds=Bounds(np.concatenate([low, np.zeros(count)]), np.concatenate([high, np.full(count, np.inf)])),
        constraints=[
            LinearConstraint(np.concatenate([sizes, np.zeros(count)])[None], total, total),
            LinearConstraint(np.hstack([falls, none]), 0, np.inf),
            LinearConstraint(np.hstack([eye, eye]), goal, np.inf),
            LinearConstraint(np.hstack([-eye, eye]), -goal, np.inf),
        ],
    )
    if found.x is None:
        raise AllpayError(
            f"no design within these bounds has weights in steps of {step:g} of the whole: give a smaller step"
        )
    return np.round(found.x[:count]).astype(np.int64)


def _moves(counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Ways to move weight from one group to another, of as many steps as their sizes ask for."""
    carrying = int(np.flatnonzero(counts).max(initial=0)) + 2
    free = range(min(carrying, len(counts), MOST_GROUPS))
    moves = []
    for i in free:
        for j in free:
            if i != j:
                move, common = np.zeros_like(counts), gcd(int(sizes[i]), int(sizes[j]))
                move[i], move[j] = sizes[j] // common, -sizes[i] // common
                moves.append(move)
    return moves
