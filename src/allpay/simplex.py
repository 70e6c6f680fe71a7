"""The ordered simplex {w_1 ≥ … ≥ w_m ≥ 0, Σw = 1}, in which designs lie: its corners, coordinates, and samples of it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError

Array = NDArray[np.float64]


def shown(weights: ArrayLike, digits: int = 3) -> str:
    """Weights as people read them; a long row of zeros at the end is cut short.

    >>> shown([0.8, 0.2, 0.0]), shown([0.75, 0.25] + [0.0] * 8)
    ('(0.8, 0.2, 0)', '(0.75, 0.25, 0, …, 0)')
    """
    numbers = [f"{x:.{digits}g}" if x >= 0.5 * 10.0**-digits else "0" for x in np.asarray(weights, float)]
    carrying = len(numbers)
    while carrying > 0 and numbers[carrying - 1] == "0":
        carrying -= 1
    if len(numbers) - carrying > 4:
        numbers = [*numbers[:carrying], "0", "…", "0"]
    return "(" + ", ".join(numbers) + ")"


def vertices(n: int, m: int) -> Array:
    """`[m, n]` the corners of the ordered simplex: row k is (1/k, …, 1/k, 0, …)."""
    if not 1 <= m <= n:
        raise AllpayError(f"between 1 and {n} of {n} ranks can carry weight: got {m}")
    return np.tril(np.ones((m, n))) / np.arange(1, m + 1)[:, None]


def to_vertices(weights: ArrayLike, m: int | None = None) -> Array:
    """Coordinates λ on the simplex, `[..., m]`, with weights = λ·U: λ_k = k (w_k − w_{k+1}).

    Raises:
        AllpayError: if the weights `[..., n]` increase, are negative, do not sum to 1, or lie on more than m ranks.
    """
    w = np.asarray(weights, float)
    n = w.shape[-1]
    m = n if m is None else m
    vertices(n, m)
    lam = np.arange(1, n + 1) * -np.diff(w, axis=-1, append=0.0)
    if not (np.all(lam >= -1e-6) and np.all(np.abs(lam[..., m:]) <= 1e-6) and np.all(np.abs(w.sum(-1) - 1) <= 1e-6)):
        raise AllpayError(
            f"weights must be nonincreasing, ≥ 0, of sum 1 and 0 after the first {m} ranks: got {w.tolist()}"
        )
    lam = np.maximum(lam[..., :m], 0.0)
    return lam / lam.sum(axis=-1, keepdims=True)


def from_vertices(coordinates: ArrayLike, n: int) -> Array:
    """The weights `[..., n]` of coordinates λ `[..., m]` on the simplex; nonincreasing without a rounding error."""
    lam = np.asarray(coordinates, float)
    m = lam.shape[-1]
    vertices(n, m)
    weights = np.zeros((*lam.shape[:-1], n))
    # summed from the last rank up, each weight is the next one plus a number ≥ 0
    weights[..., :m] = np.cumsum((lam / np.arange(1, m + 1))[..., ::-1], axis=-1)[..., ::-1]
    return weights


def sample_ordered_simplex(count: int, n: int, m: int, rng: np.random.Generator) -> Array:
    """`[count, n]` weights uniform on the ordered simplex of the first m ranks: a flat Dirichlet draw, sorted.

    For n = 3 and m = 2 the first weight is uniform on [½, 1].

    Raises:
        AllpayError: if m is not in 1 … n.
    """
    vertices(n, m)
    weights = np.zeros((count, n))
    weights[:, :m] = np.sort(rng.dirichlet(np.ones(m), size=count), axis=1)[:, ::-1]
    return weights


def candidates(n: int, m: int, count: int = 501, seed: int = 0) -> Array:
    """`[count, n]` weights that cover the ordered simplex: a grid for m = 2, otherwise its corners and a uniform sample.

    Raises:
        AllpayError: if m is not in 1 … n.
    """
    corners = vertices(n, m)
    if m == 1:
        return corners
    if m == 2:
        part = np.linspace(0.0, 1.0, max(count, 2))
        return from_vertices(np.stack([part, 1 - part], axis=1), n)
    return np.concatenate([corners, sample_ordered_simplex(max(count - m, 0), n, m, np.random.default_rng(seed))])
