"""The optimum with its uncertainty: what is reported for a peak, an edge, and a curve that is flat."""

import dataclasses

import numpy as np
import pytest

from allpay.ascent import sample_ordered_simplex
from allpay.errors import AllpayError
from allpay.optimum import find_optimum
from allpay.surrogate import fit_surrogate


@dataclasses.dataclass(frozen=True)
class Drawn:
    """An ensemble in closed form: members −(w_1 − peak)² + slope·w_1, whose scatter is known."""

    peaks: np.ndarray
    slopes: np.ndarray
    curvature: float = 1.0

    def members(self, weights):
        w = np.asarray(weights)[:, 0]
        return 1 - self.curvature * (w - self.peaks[:, None]) ** 2 + self.slopes[:, None] * w

    def value_and_gradient(self, weights):
        w = np.asarray(weights)[:, 0]
        slope = -2 * self.curvature * (w - self.peaks.mean()) + self.slopes.mean()
        gradient = np.zeros(np.shape(weights))
        gradient[:, 0] = slope
        return self.members(weights).mean(axis=0), gradient


def normal(sd, size=4000, seed=0):
    x = np.random.default_rng(seed).standard_normal(size)
    return sd * (x - x.mean()) / x.std()


def fitted(curve, noise, seed=0, n=3, m=2, designs=50):
    rng = np.random.default_rng(seed)
    weights = sample_ordered_simplex(designs, n, m, rng)
    return fit_surrogate(weights, curve(weights)[:, None] + noise * rng.standard_normal((designs, 10)), seed=seed)


def test_the_interval_of_a_peak_is_the_quantiles_of_where_members_peak():
    found = find_optimum(Drawn(0.75 + normal(0.03), np.zeros(1)), 3, 2, confidence=0.9)
    assert found.weights[0] == pytest.approx(0.75, abs=1e-3)
    (low, high), *_ = found.interval
    assert low == pytest.approx(0.75 - 1.645 * 0.03, abs=0.004)
    assert high == pytest.approx(0.75 + 1.645 * 0.03, abs=0.004)
    assert found.fraction == pytest.approx((high - low) / 0.5, abs=0.01)
    assert not found.flat


def test_a_line_ends_at_the_edge():
    found = find_optimum(fitted(lambda w: w[:, 0] / 2, 5e-4), 3, 2)
    assert found.weights[0] >= 0.999
    assert found.interval[0][0] >= 0.99
    assert found.low <= 0.5 <= found.high
    assert not found.flat


@pytest.mark.parametrize("options", [{"confidence": 0.0}, {"confidence": 1.0}, {"resolution": -1.0}])
def test_options_out_of_bounds_are_refused(options):
    with pytest.raises(AllpayError, match="must "):
        find_optimum(Drawn(normal(0.1), np.zeros(1)), 3, 2, **options)
