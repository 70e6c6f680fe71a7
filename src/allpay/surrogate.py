"""The surrogate: an ensemble of small networks from weights to the objective, trained on simulated designs.

It takes arrays and gives arrays; what was simulated, and where the ensemble is ascended, is other files' matter.
"""

import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError

Array = NDArray[np.float64]

FEWEST_DESIGNS = 5


_NUMBERS = ("centre", "scale", "level", "unit", "r2", "rmse")
"""Fields of a surrogate beside its networks."""


class Network(eqx.Module):
    """One member: layers of weights and biases, smooth units (x·sigmoid x) between them; `[n]` in, one number out.

    The parameters of an ensemble are stacked along their first axis.
    """

    matrices: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]

    def __call__(self, x: jax.Array) -> jax.Array:
        *hidden, last = zip(self.matrices, self.biases, strict=True)
        for matrix, bias in hidden:
            x = jax.nn.silu(x @ matrix + bias)
        return (x @ last[0] + last[1])[0]


@dataclass(frozen=True)
class Surrogate:
    """An ensemble of networks fitted to simulated designs.

    Attributes:
        networks: all members, stacked.
        centre, scale: `[n]` what was taken from, and divided out of, the weights before training.
        level, unit: the same for the objective; a unit of 0 says that all design means were equal, and so are predictions.
        r2: share of the variance between design means that held-out predictions explain; 0 where there is no variance.
        rmse: root mean square of held-out prediction minus design mean, in units of the objective; it includes the noise
            of the design means themselves.
    """

    networks: Network
    centre: Array
    scale: Array
    level: float
    unit: float
    r2: float
    rmse: float

    def members(self, weights: ArrayLike) -> Array:
        """`[members, points]` what each member predicts at the weights `[points, n]`."""
        x, points = self._inputs(weights)
        return self.level + self.unit * np.asarray(_apply(self.networks, x)).astype(float)[:, :points]

    def predict(self, weights: ArrayLike) -> tuple[Array, Array]:
        """Mean and standard deviation over members, `[points]` each, at the weights `[points, n]`."""
        every = self.members(weights)
        return every.mean(axis=0), every.std(axis=0, ddof=1)

    def value_and_gradient(self, weights: ArrayLike) -> tuple[Array, Array]:
        """The members' mean `[points]` and its gradient in the weights `[points, n]`."""
        x, points = self._inputs(weights)
        value, slope = (np.asarray(a).astype(float)[:points] for a in _mean_and_slope(self.networks, x))
        return self.level + self.unit * value, self.unit * slope / self.scale

    def save(self, file: BinaryIO) -> None:
        """Write all of it as an .npz file: what `load` makes of that predicts the same bits."""
        layers = {"matrices": self.networks.matrices, "biases": self.networks.biases}
        arrays = {f"{name} {i}": np.asarray(a) for name, parts in layers.items() for i, a in enumerate(parts)}
        np.savez(file, **arrays, **{name: np.asarray(getattr(self, name)) for name in _NUMBERS})  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path | str) -> "Surrogate":
        """The surrogate that a file holds.

        Raises:
            AllpayError: if it cannot be read or holds something else.
        """
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
                arrays = dict(found)
            layers = range(sum(name.startswith("matrices ") for name in arrays))
            networks = Network(
                *(tuple(jnp.asarray(arrays[f"{name} {i}"]) for i in layers) for name in ("matrices", "biases"))
            )
            numbers: Any = [arrays[name] if arrays[name].ndim else float(arrays[name]) for name in _NUMBERS]
            return cls(networks, *numbers)
        except OSError as error:
            raise AllpayError(f"cannot read {path}: {error.strerror or error}") from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise AllpayError(f"{path} holds no surrogate, or is damaged: run its study again") from None

    def _inputs(self, weights: ArrayLike) -> tuple[jax.Array, int]:
        """Scaled weights, filled up to a power of two of points so that few shapes are ever compiled; and the points."""
        w = np.asarray(weights, float)
        if w.ndim != 2 or w.shape[1] != len(self.centre):
            raise AllpayError(
                f"the surrogate takes weights [points, {len(self.centre)}]: got an array of shape {w.shape}"
            )
        x = np.zeros((1 << (max(len(w), 1) - 1).bit_length(), w.shape[1]), np.float32)
        x[: len(w)] = (w - self.centre) / self.scale
        return jnp.asarray(x), len(w)


def fit_surrogate(
    weights: ArrayLike,
    values: ArrayLike,
    seed: int,
    *,
    members: int = 60,
    folds: int = 5,
    width: int = 32,
    depth: int = 2,
    steps: int = 1000,
    learning_rate: float = 0.01,
) -> Surrogate:
    """Train an ensemble on simulated designs, all members side by side in one compiled function.

    The designs are dealt into folds. Member j never sees fold j mod `folds`, which serves only the held-out score. Of the
    other designs it trains on a bootstrap resample, and keeps the parameters that did best on those not drawn (early
    stopping). A design is drawn with all its rounds, that is as its mean: what rounds of one design share is error too,
    and drawing rounds once more within a design would count their noise twice. So the spread over members is the
    sampling error of the fit.

    Args:
        weights: `[designs, n]`, at least 5 designs.
        values: `[designs, rounds]` the objective, or `[designs]` for one round each.
        seed: same seed, same bits.
        members: how many networks.
        folds: into how many parts the designs are dealt, at most as many as there are designs.
        width, depth: units in a hidden layer, hidden layers.
        steps: full-batch steps of Adam, its rate falling to 0 along a cosine.
        learning_rate: the rate at the first step.

    Raises:
        AllpayError: if a number is not finite, the shapes do not fit, or there are fewer than 5 designs.

    References:
        Breiman (1996), Bagging predictors. Lakshminarayanan, Pritzel and Blundell (2017), Simple and scalable predictive
        uncertainty estimation using deep ensembles. Davison and Hinkley (1997), section 3.8, on resampling groups.
    """
    w, y = _checked(weights, values)
    if not 2 <= folds <= len(w):
        raise AllpayError(f"folds must be between 2 and the {len(w)} designs: got {folds}")
    if members < folds:
        raise AllpayError(f"an ensemble of {folds} folds needs at least as many members: got {members}")
    means = y.mean(axis=1)
    centre, scale = w.mean(axis=0), _spread(w)
    scale = np.where(scale > 0, scale, 1.0)
    level, unit = float(means.mean()), float(_spread(means[:, None])[0])
    scaled = (means - level) / (unit or 1.0)

    rng = np.random.default_rng(seed)
    held, drawn, unseen = _resample(len(w), members, folds, rng)
    x = jnp.asarray((w - centre) / scale, jnp.float32)
    target = jnp.asarray(scaled, jnp.float32)
    start = _initial(members, [w.shape[1], *[width] * depth, 1], rng)
    networks = _train(start, x, target, jnp.asarray(drawn), jnp.asarray(unseen), steps, learning_rate)

    guesses = np.asarray(_apply(networks, x)).astype(float)
    error = level + unit * np.sum(guesses * held, axis=0) / np.sum(held, axis=0) - means
    r2 = 1.0 - float(np.mean(error**2)) / unit**2 if unit > 0 else 0.0
    return Surrogate(networks, centre, scale, level, unit, r2, float(np.sqrt(np.mean(error**2))))


def _resample(designs: int, members: int, folds: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """For each member and design, `[members, designs]` each: whether held out, how often drawn, whether used for stopping."""
    fold = rng.permutation(np.arange(designs) % folds)
    held = fold == (np.arange(members) % folds)[:, None]
    drawn = np.stack([np.bincount(rng.choice(np.flatnonzero(~h), designs), minlength=designs) for h in held])
    unseen = (drawn == 0) & ~held
    unseen |= ~unseen.any(axis=1, keepdims=True) & ~held  # few designs may all be drawn
    return held.astype(np.float32), drawn.astype(np.float32), unseen.astype(np.float32)


def _initial(members: int, sizes: list[int], rng: np.random.Generator) -> Network:
    """Random starts for all members: normal weights of variance 1/inputs; normal biases in the first layer, 0 after it."""
    shapes = list(pairwise(sizes))
    matrices = [rng.standard_normal((members, a, b), np.float32) / np.float32(np.sqrt(a)) for a, b in shapes]
    # with biases of 0 all units of the first layer would bend at the same place, the mean of the designs
    biases = [rng.standard_normal((members, sizes[1]), np.float32)]
    biases += [np.zeros((members, b), np.float32) for b in sizes[2:]]
    return Network(tuple(map(jnp.asarray, matrices)), tuple(map(jnp.asarray, biases)))


@eqx.filter_jit
def _train(
    start: Network, x: jax.Array, y: jax.Array, drawn: jax.Array, unseen: jax.Array, steps: int, learning_rate: float
) -> Network:
    """All members trained side by side, each as it was when it did best on the designs kept for stopping."""
    adam = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))

    def train(network: Network, drawn: jax.Array, unseen: jax.Array) -> Network:
        def losses(network: Network) -> tuple[jax.Array, jax.Array]:
            square = (jax.vmap(network)(x) - y) ** 2
            return jnp.sum(drawn * square) / jnp.sum(drawn), jnp.sum(unseen * square) / jnp.sum(unseen)

        def step(state: Any, _: None) -> tuple[Any, None]:
            network, moments, best, lowest = state
            (_loss, check), gradient = jax.value_and_grad(losses, has_aux=True)(network)
            best = jax.tree.map(lambda new, old: jnp.where(check < lowest, new, old), network, best)
            updates, moments = adam.update(gradient, moments)
            return (optax.apply_updates(network, updates), moments, best, jnp.minimum(check, lowest)), None

        (_, _, best, _), _ = jax.lax.scan(
            step, (network, adam.init(network), network, jnp.asarray(jnp.inf, y.dtype)), length=steps
        )
        return best

    return jax.vmap(train)(start, drawn, unseen)


@jax.jit
def _apply(networks: Network, x: jax.Array) -> jax.Array:
    """`[members, points]` every member at every point."""
    return jax.vmap(lambda network: jax.vmap(network)(x))(networks)


@jax.jit
def _mean_and_slope(networks: Network, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean over members `[points]` and its gradient `[points, n]`."""

    def mean(point: jax.Array) -> jax.Array:
        return jnp.mean(jax.vmap(lambda network: network(point))(networks))

    return jax.vmap(jax.value_and_grad(mean))(x)


def _checked(weights: ArrayLike, values: ArrayLike) -> tuple[Array, Array]:
    w, y = np.asarray(weights, float), np.asarray(values, float)
    y = y[:, None] if y.ndim == 1 else y
    if w.ndim != 2 or y.ndim != 2 or len(w) != len(y) or y.shape[1] < 1:
        raise AllpayError(f"give weights [designs, n] and values [designs, rounds]: got shapes {w.shape} and {y.shape}")
    if len(w) < FEWEST_DESIGNS:
        raise AllpayError(f"a surrogate needs at least {FEWEST_DESIGNS} designs: got {len(w)}; sample more designs")
    for what, numbers in (("weights", w), ("values", y)):
        bad = np.argwhere(~np.isfinite(numbers))
        if len(bad):
            raise AllpayError(
                f"{what} must be finite numbers: got {numbers[tuple(bad[0])]} in design {bad[0][0] + 1}"
                f" ({len(bad)} such in all); leave such designs out"
            )
    return w, y


def _spread(columns: Array) -> Array:
    """Standard deviation of each column, 0 where the column is constant but for rounding."""
    spread = columns.std(axis=0)
    return np.where(spread > 1e-12 * np.abs(columns).max(axis=0), spread, 0.0)
