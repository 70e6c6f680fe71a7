"""An equilibrium on continuous bids as a strategy on the bid grid of a game."""

import numpy as np

from allpay.contest.game import Array, Game
from allpay.theory.symmetric import Equilibrium


def on_grid(game: Game, found: Equilibrium) -> Array:
    """`[groups, values, bids]` the equilibrium as strategies on the bid grid: every bid moved to the nearest that is allowed.

    A value of the grid stands for a range of quantiles, and plays the bids of them all. Those who stay out do so on the grid.
    """
    return np.stack([_on_grid(game, found, group) for group in range(len(game.groups))])


def _on_grid(game: Game, found: Equilibrium, group: int) -> Array:
    """`[values, bids]` of one group."""
    grid, levels = game.bid_grid, game.value_levels
    limits, play = game.limits[group], found.groups[group]
    borders = (grid[1:] + grid[:-1]) / 2
    low, high = np.zeros_like(borders), np.ones_like(borders)
    for _ in range(60):  # bisection: the quantile at which bids pass each border
        middle = (low + high) / 2
        below = play.bid_at(middle) < borders
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    if game.mechanism.may_stay_out:
        low[0] = 1 - play.entry  # a bid of 0 that pays the fee is not to stay out
    q, edges = np.concatenate([[0.0], low, [1.0]]), np.arange(levels + 1) / levels
    shared = np.minimum(edges[1:, None], q[1:]) - np.maximum(edges[:-1, None], q[:-1])
    mass = np.maximum(shared, 0.0)
    mass /= mass.sum(axis=1, keepdims=True)
    above = np.where(np.arange(len(grid)) >= limits[:, None], mass, 0.0)  # what rounding took above the value
    mass -= above
    mass[np.arange(levels), limits - 1] += above.sum(axis=1)
    return mass
