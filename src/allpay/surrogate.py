"""The surrogate: an ensemble from weights to the objective, each member a quadratic and a small network on what it leaves.

It takes arrays and gives arrays; what was simulated, and where the ensemble is ascended, is other files' matter. Networks are
evaluated by NumPy, which compiles nothing, whatever number of points is asked for; `training` fits them by JAX.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from allpay.errors import AllpayError
from allpay.files import load_arrays
from allpay.frozen import ByValue

Array = NDArray[np.float64]
Single = NDArray[np.float32]

FEWEST_DESIGNS = 5

QUICK: Mapping[str, int] = MappingProxyType({"members": 20, "steps": 300})
"""Options of a small ensemble, for where one is fitted many times."""

CONSTANT, LINEAR, QUADRATIC = 3.0, 2.0, 0.5
"""How large the coefficients of a trend are expected to be beside each other, for inputs and outputs of unit variance."""

PENALTIES = 10.0 ** np.arange(-8.0, 2.5, 0.5)
"""From which the penalty of the trend is chosen."""


AT_ONCE = 128
"""Points that are looked at together: what is made of them on the way stays in the cache, and no product of matrices is worth a
second thread."""

_NUMBERS = ("centre", "scale", "level", "unit", "r2", "rmse", "held_out")
"""Fields of a surrogate beside its networks and its trend."""


class Network(NamedTuple):
    """The members' layers, of matrices and biases, with smooth units (x·sigmoid x) between them: `[n]` in, one number out.

    Attributes:
        matrices: `[members, inputs, units]` of each layer.
        biases: `[members, units]` of each layer.
    """

    matrices: tuple[Single, ...]
    biases: tuple[Single, ...]


@dataclass(frozen=True, eq=False)
class Trend(ByValue):
    """The quadratic c + g·x + ½ x·Hx of each member, a response surface (Box & Wilson 1951).

    Attributes:
        level: `[members]`, c.
        slope: `[members, n]`, g.
        bend: `[members, n, n]`, H, symmetric.
    """

    level: Array
    slope: Array
    bend: Array

    def members(self, x: Array) -> Array:
        """`[members, points]` at the points `[points, n]`."""
        used = self._used
        part = x[:, used]
        square = np.sum((part @ self.bend[:, used[:, None], used]) * part, axis=-1)
        return self.level[:, None] + self.slope[:, used] @ part.T + 0.5 * square

    def gradients(self, x: Array) -> Array:
        """`[members, points, n]` at the points `[points, n]`."""
        used = self._used
        found = np.repeat(self.slope[:, None], len(x), axis=1)
        found[:, :, used] += x[:, used] @ self.bend[:, used[:, None], used]
        return found

    @property
    def _used(self) -> NDArray[np.intp]:
        """The inputs that the trend depends on: most of 80 ranks win nothing in any design."""
        return np.flatnonzero(self.bend.any(axis=(0, 1)) | self.slope.any(axis=0))

    @property
    def mean(self) -> "Trend":
        """The mean over members, as one member."""
        return Trend(*(part.mean(axis=0, keepdims=True) for part in (self.level, self.slope, self.bend)))


@dataclass(frozen=True, eq=False)
class Surrogate(ByValue):
    """An ensemble fitted to simulated designs.

    Attributes:
        networks: those of all members, stacked: what they add to the trend.
        centre, scale: `[n]` what was taken from, and divided out of, the weights before training.
        level, unit: the same for the objective; a unit of 0 says that all design means were equal, and so are predictions.
        r2: share of the variance between design means that held-out predictions explain; 0 where there is no variance.
        rmse: root mean square of held-out prediction minus design mean, in units of the objective; it includes the noise
            of the design means themselves.
        held_out: `[designs]` what the members that have not seen a design predict for it.
    """

    networks: Network
    centre: Array
    scale: Array
    level: float
    unit: float
    r2: float
    rmse: float
    trend: Trend
    held_out: Array

    def members(self, weights: ArrayLike) -> Array:
        """`[members, points]` what each member predicts at the weights `[points, n]`."""
        return self.level + self.unit * self._scaled(self._inputs(weights))

    def predict(self, weights: ArrayLike) -> tuple[Array, Array]:
        """Mean and standard deviation over members, `[points]` each, at the weights `[points, n]`."""
        every = self.members(weights)
        return every.mean(axis=0), every.std(axis=0, ddof=1)

    def value_and_gradient(self, weights: ArrayLike) -> tuple[Array, Array]:
        """The members' mean `[points]` and its gradient in the weights `[points, n]`."""
        x, first, mean = self._inputs(weights), self.networks.matrices[0], self.trend.mean
        backwards = first.transpose(0, 2, 1).reshape(-1, first.shape[1]) / np.float32(len(first))
        value, slope = mean.members(x)[0], mean.gradients(x)[0]
        for part in _parts(x):
            received, shares, said = _layers(self.networks, x[part].astype(np.float32))
            inner = _slopes(self.networks, received, shares)
            value[part] += said.mean(axis=0)
            slope[part] += inner.transpose(1, 0, 2).reshape(inner.shape[1], -1) @ backwards
        return self.level + self.unit * value, self.unit * slope / self.scale

    def save(self, file: BinaryIO) -> None:
        """Write all of it as an .npz file: what `load` makes of that predicts the same bits."""
        layers = {"matrices": self.networks.matrices, "biases": self.networks.biases}
        arrays = {f"{name} {i}": np.asarray(a) for name, parts in layers.items() for i, a in enumerate(parts)}
        arrays |= {f"trend {name}": part for name, part in vars(self.trend).items()}
        np.savez(file, **arrays, **{name: np.asarray(getattr(self, name)) for name in _NUMBERS})  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path | str) -> "Surrogate":
        """The surrogate that a file holds.

        Raises:
            AllpayError: if it cannot be read or holds something else.
        """
        try:
            arrays = load_arrays(Path(path))
            layers = range(sum(name.startswith("matrices ") for name in arrays))
            networks = Network(
                *(
                    tuple(np.asarray(arrays[f"{name} {i}"], np.float32) for i in layers)
                    for name in ("matrices", "biases")
                )
            )
            numbers: dict[str, Any] = {n: arrays[n] if arrays[n].ndim else float(arrays[n]) for n in _NUMBERS}
            trend = Trend(*(arrays[f"trend {name}"] for name in ("level", "slope", "bend")))
            return cls(networks, trend=trend, **numbers)
        except OSError as error:
            raise AllpayError(f"cannot read {path}: {error.strerror or error}") from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise AllpayError(f"{path} holds no surrogate, or is damaged: run its study again") from None

    def members_and_gradients(self, weights: ArrayLike) -> tuple[Array, Array]:
        """What each member predicts `[members, points]`, and its gradient `[members, points, n]`, at weights `[points, n]`."""
        x = self._inputs(weights)
        value, slope = self.trend.members(x), self.trend.gradients(x)
        for part in _parts(x):
            received, shares, said = _layers(self.networks, x[part].astype(np.float32))
            value[:, part] += said
            slope[:, part] += _slopes(self.networks, received, shares) @ self.networks.matrices[0].swapaxes(1, 2)
        return self.level + self.unit * value, self.unit * slope / self.scale

    def _scaled(self, x: Array) -> Array:
        """Predictions `[members, points]` in units of the training outputs' scatter, from their mean."""
        value = self.trend.members(x)
        for part in _parts(x):
            value[:, part] += _layers(self.networks, x[part].astype(np.float32))[-1]
        return value

    def _inputs(self, weights: ArrayLike) -> Array:
        """Weights from their mean, in units of their scatter."""
        w = np.asarray(weights, float)
        if w.ndim != 2 or w.shape[1] != len(self.centre):
            raise AllpayError(
                f"the surrogate takes weights [points, {len(self.centre)}]: got an array of shape {w.shape}"
            )
        return (w - self.centre) / self.scale


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
    """Fit an ensemble to simulated designs, the networks of all members side by side.

    A member is a quadratic of the weights, fitted by ridge regression, and a network trained on what that leaves. Revenue
    is smooth in the weights over most of a space, and in many dimensions a quadratic says more of it from few designs than a
    network alone; of a line or a plane it leaves the network little to do. The network begins at 0.

    The designs are dealt into folds. Member j never sees fold j mod `folds`, which serves only the held-out score. Of the
    other designs it is fitted to a bootstrap resample. Those not drawn decide how strong the penalty of the quadratics is,
    and after which step the networks are taken (early stopping), for all members of a fold together. A design is drawn
    with all its rounds, that is as its mean: what rounds of one design share is error too, and drawing rounds once more
    within a design would count their noise twice. So the spread over members is the sampling error of the fit.

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
        uncertainty estimation using deep ensembles. Davison and Hinkley (1997), section 3.8, on resampling groups. Hoerl
        and Kennard (1970), Ridge regression. Box and Wilson (1951), On the experimental attainment of optimum conditions.
    """
    from allpay.training import trained  # JAX takes a second to load, and not all who have an ensemble fit one

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
    x = (w - centre) / scale
    trend = _trends(x, scaled, held, drawn, unseen)
    rest = scaled - trend.members(x)
    size = float(np.sqrt(np.mean(rest**2))) or 1.0
    start = _initial(members, [w.shape[1], *[width] * depth, 1], rng)
    room = _room(len(w))
    target, drawn, unseen, inputs = (_filled(a, room) for a in (rest / size, drawn, unseen, x.T))
    together = np.all(held[:, None] == held, axis=2).astype(np.float32)
    found = trained(start, inputs.T, target, drawn, unseen, together, steps, learning_rate)
    networks = Network(*((*layers[:-1], layers[-1] * np.float32(size)) for layers in found))

    fitted = Surrogate(networks, centre, scale, level, unit, 0.0, 0.0, trend, scaled)
    held_out = np.sum(fitted._scaled(fitted._inputs(w)) * held, axis=0) / np.sum(held, axis=0)
    square = float(np.mean((held_out - scaled) ** 2))
    r2 = 1.0 - square if unit > 0 else 0.0
    return replace(fitted, r2=r2, rmse=unit * square**0.5, held_out=level + unit * held_out)


def prepare(designs: int, inputs: int) -> None:
    """Compile what `fit_surrogate` takes with its usual options, for so many designs `[designs, inputs]`: before it is asked
    for, in a thread beside other work."""
    from allpay.training import program_for

    usual: Any = fit_surrogate.__kwdefaults__
    sizes = (inputs, *[usual["width"]] * usual["depth"], 1)
    program_for(_room(designs), usual["members"], sizes, usual["steps"], usual["learning_rate"])


def _resample(designs: int, members: int, folds: int, rng: np.random.Generator) -> tuple[Single, Single, Single]:
    """For each member and design, `[members, designs]` each: whether held out, how often drawn, whether used for stopping."""
    fold = rng.permutation(np.arange(designs) % folds)
    held = fold == (np.arange(members) % folds)[:, None]
    drawn = np.stack([np.bincount(rng.choice(np.flatnonzero(~h), designs), minlength=designs) for h in held])
    unseen = (drawn == 0) & ~held
    unseen |= ~unseen.any(axis=1, keepdims=True) & ~held  # few designs may all be drawn
    return held.astype(np.float32), drawn.astype(np.float32), unseen.astype(np.float32)


def _trends(x: Array, y: Array, held: Single, drawn: Single, unseen: Single) -> Trend:
    """The quadratic of each member, by ridge regression on the designs `[designs, n]` that it has drawn.

    Members that are held out of the same fold share the penalty at which they predict designs best that they have not drawn.
    Of weights that are the same in all designs, as those of ranks that win nothing, nothing is learned: they are left out.
    """
    every, varied = x.shape[1], np.flatnonzero(np.any(x != 0, axis=0))
    x = x[:, varied]
    n = x.shape[1]
    i, j = np.triu_indices(n)
    square = np.where(i == j, 0.5**0.5, 1.0)  # so that the penalty is one of Σ H_ij²
    parts = (np.full((len(x), 1), CONSTANT), LINEAR * x, QUADRATIC * square * x[:, i] * x[:, j])
    features = np.concatenate(parts, axis=1)
    coefficients = np.empty((len(held), len(PENALTIES), features.shape[1]))
    errors = np.empty((len(held), len(PENALTIES)))
    for member, times in enumerate(drawn.astype(float)):
        root = np.sqrt(times[times > 0])
        left, sizes, right = np.linalg.svd(root[:, None] * features[times > 0], full_matrices=False)
        shares = sizes / (sizes**2 + PENALTIES[:, None]) * (left.T @ (root * y[times > 0]))
        coefficients[member] = shares @ right
        errors[member] = (coefficients[member] @ features.T - y) ** 2 @ unseen[member]
    _, fold = np.unique(held, axis=0, return_inverse=True)
    best = np.array([errors[fold == own].sum(axis=0).argmin() for own in fold])
    chosen = coefficients[np.arange(len(held)), best]
    slope, bend = np.zeros((len(held), every)), np.zeros((len(held), every, every))
    slope[:, varied] = LINEAR * chosen[:, 1 : 1 + n]
    bend[:, varied[i], varied[j]] = QUADRATIC * square * chosen[:, 1 + n :]
    bend += bend.transpose(0, 2, 1)
    return Trend(CONSTANT * chosen[:, 0], slope, bend)


def _room(designs: int) -> int:
    """To how many designs the arrays of a fit are filled up, so that few shapes are compiled where fits follow each other."""
    return max(16, 1 << (designs - 1).bit_length()) if designs <= 64 else -(-designs // 64) * 64


def _filled(rows: Array | Single, room: int) -> Single:
    """Zeros after the last column up to `room`, in single precision: designs without weight, or points not asked for."""
    return np.pad(rows, ((0, 0), (0, room - rows.shape[1]))).astype(np.float32)


def _initial(members: int, sizes: list[int], rng: np.random.Generator) -> Network:
    """Random starts for all members: normal weights of variance 1/inputs; normal biases in the first layer, 0 after it.

    The weights of the last layer are 0: a network begins by adding nothing to the trend, and stays there if it does no good.
    """
    shapes = list(pairwise(sizes))
    matrices = [rng.standard_normal((members, a, b), np.float32) / np.float32(np.sqrt(a)) for a, b in shapes]
    matrices[-1][:] = 0
    # with biases of 0 all units of the first layer would bend at the same place, the mean of the designs
    biases = [rng.standard_normal((members, sizes[1]), np.float32)]
    biases += [np.zeros((members, b), np.float32) for b in sizes[2:]]
    return Network(tuple(matrices), tuple(biases))


def _parts(x: Array) -> list[slice]:
    """Parts of the points `[points, n]`, of at most `AT_ONCE` each."""
    return [slice(i, i + AT_ONCE) for i in range(0, len(x), AT_ONCE)]


def _layers(networks: Network, x: Single) -> tuple[list[Single], list[Single], Single]:
    """What the units of each hidden layer receive, and the share of it that each lets through, the sigmoid of it: a list of
    `[members, points, units]` each; and what each member says, `[members, points]`, at the points `[points, n]`."""
    received, shares = [], []
    *hidden, last = zip(networks.matrices, networks.biases, strict=True)
    for matrix, bias in hidden:
        z = x @ matrix
        z += bias[:, None]
        with np.errstate(over="ignore"):  # of −100 nothing is let through
            share = 1 / (1 + np.exp(-z))
        received.append(z)
        shares.append(share)
        x = z * share
    return received, shares, (x @ last[0])[..., 0] + last[1]


def _slopes(networks: Network, received: list[Single], shares: list[Single]) -> Single:
    """How what each member says moves with what the units of its first hidden layer receive, `[members, points, units]`."""
    *_, slopes = (matrix.swapaxes(1, 2) for matrix in networks.matrices)
    for matrix, z, share in reversed(list(zip(networks.matrices, received, shares, strict=False))):
        slopes = slopes * (share * (1 + z * (1 - share)))
        if matrix is not networks.matrices[0]:
            slopes = slopes @ matrix.swapaxes(1, 2)
    return slopes


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
