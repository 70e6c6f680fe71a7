"""Which designs to simulate next: those that an ensemble holds for good, or of which it knows too little to say.

Like the optimum it sees an ensemble only through its predictions; what has been simulated it knows as weights.
"""

from typing import Protocol

import numpy as np
import scipy  # whose parts are loaded when they are used
from numpy.typing import ArrayLike, NDArray

from allpay.ascent import mirror_ascent
from allpay.evidence import Evidence
from allpay.simplex import Polytope, looked_at

Array = NDArray[np.float64]

DISTINCT = 0.01
"""Designs whose weights differ by less than this, all together, are the same to the next simulation."""

CLOSER = (0.03, 0.1, 0.3, 1.0)
"""How far from a design, as parts of the way to others, one is looked for that is distinct from all."""


class Differing(Protocol):
    """What is needed of a surrogate."""

    def members(self, weights: ArrayLike) -> Array:
        """`[members, points]` predictions at the weights `[points, n]`."""
        ...

    def members_and_gradients(self, weights: ArrayLike) -> tuple[Array, Array]:
        """The same, and their gradients `[members, points, n]`."""
        ...


def next_designs(
    surrogate: Differing,
    polytope: Polytope,
    known: Array,
    count: int,
    seed: int,
    *,
    points: int = 256,
    starts: int = 6,
) -> Array:
    """`[count, n]` designs to simulate next, distinct from one another and from those known.

    Each is where a bound on the objective is highest, the members' mean plus κ standard deviations of theirs (upper
    confidence bound; Auer 2002), with a κ of its own: with a small one it is the best design by what is known, with a large
    one something that could be better for all that is known. These κ are quantiles, one from each of `count` equal parts,
    of the exponential distribution with mean 1 (Hutter, Hoos & Leyton-Brown 2012), so that designs that are simulated side
    by side differ. Every bound is ascended by mirror ascent from several starts.

    A bound that is highest at a design that is known already gives the place to a neighbour, near or far, with the next
    highest bound.

    Args:
        surrogate: the ensemble.
        polytope: where designs lie.
        known: `[designs, n]` those that have been simulated.
        count: how many are wanted.
        seed: same seed, same bits.
        points: how many designs spread over the polytope are looked at.
        starts: from how many designs each bound is ascended.
    """
    rng = np.random.default_rng(seed)
    boldness = -np.log1p(-(np.arange(count) + rng.random()) / count)
    corners, uniform = looked_at(polytope, points, int(rng.integers(2**31)))
    designs = np.concatenate([corners, uniform])
    bounds = _bounds(surrogate.members(designs), boldness)
    high = np.argsort(-bounds, axis=1, kind="stable")[:, : starts - starts // 3]
    anywhere = len(corners) + rng.integers(len(uniform), size=(count, starts // 3))
    chosen = np.concatenate([high, anywhere], axis=1)
    kappa = np.repeat(boldness, chosen.shape[1])

    def bound(weights: Array) -> tuple[Array, Array]:
        every, slopes = surrogate.members_and_gradients(weights)
        mean, slope = every.mean(axis=0), slopes.mean(axis=0)
        apart = every - mean
        deviation = _deviation(every)
        rise = np.einsum("mp,mpn->pn", apart, slopes - slope) / (len(every) - 1)
        rise /= np.where(deviation > 0, deviation, 1.0)[:, None]
        return mean + kappa * deviation, slope + kappa[:, None] * rise

    found = mirror_ascent(bound, designs[chosen].reshape(-1, designs.shape[1]), polytope=polytope, iterations=60)
    ended = found.all_weights.reshape(count, -1, designs.shape[1])
    best = ended[np.arange(count), found.all_values.reshape(count, -1).argmax(axis=1)]
    taken = np.array(known, float)
    for k, weights in enumerate(best):
        if _nearest(weights[None], taken)[0] < DISTINCT:
            around = np.concatenate([weights + part * (designs - weights) for part in CLOSER])
            room = _nearest(around, taken)
            around = around[room >= min(DISTINCT, room.max())]
            best[k] = around[_bounds(surrogate.members(around), boldness[[k]])[0].argmax()]
        taken = np.concatenate([taken, best[k][None]])
    return best


def overlooked(evidence: Evidence, polytope: Polytope, known: Array, seed: int, points: int = 1001) -> Array:
    """`[n]` a design that no ensemble asks for: beside the best simulated one where that is missed, else in the widest gap.

    An ensemble that smooths a peak away asks for nothing near it, and one that is sure of itself leaves gaps for good.

    Args:
        evidence: the designs that were simulated.
        polytope: where designs lie.
        known: `[designs, n]` designs that it must be distinct from.
        seed: of the points that are looked at.
        points: how many.
    """
    designs = np.concatenate(looked_at(polytope, points, seed))
    apart = _nearest(designs, known)
    best = int(evidence.means.argmax())
    error = float(np.sqrt(evidence.variances[best] / evidence.rounds))
    if evidence.missed[best] <= 2 * error:
        return designs[apart.argmax()]
    near = evidence.weights[[best]]
    beside = np.concatenate([designs, *(near + part * (designs - near) for part in CLOSER)])
    distinct = beside[_nearest(beside, known) >= DISTINCT]
    if len(distinct) == 0:
        return designs[apart.argmax()]
    return distinct[_nearest(distinct, near).argmin()]


def rivals(surrogate: Differing, evidence: Evidence, polytope: Polytope, best: Array, count: int, seed: int) -> Array:
    """`[at most count, n]` designs that fresh rounds should look at before one is recommended, all distinct, the first `best`.

    The others are those that the ensemble may underrate: the simulated design with the highest mean, the corners, those of
    highest bound first, where often nothing was simulated, further designs of high mean, and points of highest bound.
    The bound is the prediction plus two standard deviations of the members and the misfit nearby.

    Args:
        surrogate: the ensemble.
        evidence: the designs that were simulated.
        polytope: where designs lie.
        best: `[n]` where the ensemble's mean is highest.
        count: how many at most, at least 1.
        seed: of the points that are looked at.
    """
    corners, uniform = looked_at(polytope, 501, seed)
    if polytope.freedom == 1:
        corners = uniform[[0, -1]]

    def bound(points: Array) -> Array:
        return _bounds(surrogate.members(points), np.array([2.0]))[0] + evidence.misfit(points)

    simulated = evidence.weights[np.argsort(-evidence.means, kind="stable")]
    corners = corners[np.argsort(-bound(corners), kind="stable")]
    uniform = uniform[np.argsort(-bound(uniform), kind="stable")]
    chosen = [best]
    groups = ((simulated, 2), (corners, max(count - 1, 3)), (simulated, (count + 5) // 2), (uniform, count))
    for designs, most in groups:  # each until so many are chosen
        for weights in designs:
            if len(chosen) >= min(most, count):
                break
            if _nearest(weights[None], np.array(chosen))[0] >= DISTINCT:
                chosen.append(weights)
    return np.array(chosen)


def _deviation(every: Array) -> Array:
    return every.std(axis=0, ddof=1)


def _bounds(every: Array, boldness: Array) -> Array:
    """`[bounds, points]` mean plus so many standard deviations of predictions `[members, points]`."""
    return every.mean(axis=0) + boldness[:, None] * _deviation(every)


def _nearest(weights: Array, others: Array) -> Array:
    """`[points]` how far each design lies from the nearest of others, in the sum of differences of weights."""
    return np.asarray(scipy.spatial.distance.cdist(weights, others, "cityblock").min(axis=1), float)
