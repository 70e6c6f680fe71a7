"""The optimum with its uncertainty: what is reported for a peak, an edge, and a curve that is flat."""

import dataclasses

import numpy as np
import pytest

from allpay.bounded import Bounded
from allpay.errors import AllpayError
from allpay.evidence import Evidence
from allpay.optimum import find_optimum, in_words
from allpay.simplex import OrderedSimplex, sample_ordered_simplex
from allpay.surrogate import fit_surrogate


@dataclasses.dataclass(frozen=True)
class Drawn:
    """An ensemble in closed form: members −(w_1 − peak)² + slope·w_1, whose scatter is known."""

    peaks: np.ndarray
    slopes: np.ndarray
    curvature: float = 1.0
    r2: float = 0.9
    rmse: float = 0.01

    def members(self, weights):
        w = np.asarray(weights)[:, 0]
        return 1 - self.curvature * (w - self.peaks[:, None]) ** 2 + self.slopes[:, None] * w

    def value_and_gradient(self, weights):
        w = np.asarray(weights)[:, 0]
        slope = -2 * self.curvature * (w - self.peaks.mean()) + self.slopes.mean()
        gradient = np.zeros(np.shape(weights))
        gradient[:, 0] = slope
        return self.members(weights).mean(axis=0), gradient


@dataclasses.dataclass(frozen=True)
class Tilted:
    """Members 1 + tilt·(w_1 − ¾), flat on the mean."""

    tilts: np.ndarray
    r2: float = -0.1
    rmse: float = 0.01

    def members(self, weights):
        return 1 + self.tilts[:, None] * (np.asarray(weights)[:, 0] - 0.75)

    def value_and_gradient(self, weights):
        return self.members(weights).mean(axis=0), np.zeros(np.shape(weights))


def normal(sd, size=4000, seed=0):
    x = np.random.default_rng(seed).standard_normal(size)
    return sd * (x - x.mean()) / x.std()


def fitted(curve, noise, seed=0, n=3, m=2, designs=50, **options):
    rng = np.random.default_rng(seed)
    weights = sample_ordered_simplex(designs, n, m, rng)
    return fit_surrogate(
        weights, curve(weights)[:, None] + noise * rng.standard_normal((designs, 10)), seed=seed, **options
    )


def test_the_interval_of_a_parabola_is_that_of_its_peak():
    """Members differ by their slope, so their peaks stray: the interval must be 1.2·z of that standard deviation."""
    found = find_optimum(Drawn(np.full(1, 0.75), normal(0.06)), 3, 2, confidence=0.9)
    assert found.weights[0] == pytest.approx(0.75, abs=1e-3)
    (low, high), *_ = found.interval
    assert low == pytest.approx(0.75 - 1.2 * 1.645 * 0.03, abs=0.004)
    assert high == pytest.approx(0.75 + 1.2 * 1.645 * 0.03, abs=0.004)
    assert found.interval[1] == pytest.approx((1 - high, 1 - low))
    assert found.interval[2] == (0, 0)
    assert found.fraction == pytest.approx((high - low) / 0.5, abs=0.01)
    assert not found.flat


def test_more_confidence_is_a_wider_interval():
    fractions = [
        find_optimum(Drawn(np.full(1, 0.75), normal(0.06)), 3, 2, confidence=c).fraction for c in (0.5, 0.8, 0.9, 0.99)
    ]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.7 * fractions[-1]


def test_what_the_simulation_cannot_resolve_widens_the_interval():
    exact = Drawn(np.full(1, 0.75), 1e-6 * normal(1.0))
    narrow = find_optimum(exact, 3, 2)
    wide = find_optimum(exact, 3, 2, resolution=0.01)
    assert narrow.interval[0] == pytest.approx((0.75, 0.75), abs=2e-3)
    assert wide.interval[0] == pytest.approx((0.65, 0.85), abs=2e-3)  # (w − .75)² ≤ .01
    assert find_optimum(exact, 3, 2, resolution=0.07).undecided
    assert (wide.low, wide.high) == (narrow.low, narrow.high)


def test_the_value_allows_for_the_choice_of_the_best():
    """Flat truth 1, members that tilt by ±s at random: whoever picks the higher end overrates it by about s·E|x|/4."""
    tilt = normal(0.1)
    found = find_optimum(Tilted(tilt), 3, 2)
    overrated = np.abs(tilt) / 4
    assert found.value == pytest.approx(1, abs=1e-6)
    own = 1.645 * np.std(tilt) * abs(found.weights[0] - 0.75)  # of the members at the best, who know no choice
    assert found.low == pytest.approx(min(1 - overrated.mean() - 1.645 * overrated.std(), 1 - own), abs=1e-3)
    assert found.high == pytest.approx(max(1 - overrated.mean() + 1.645 * overrated.std(), 1 + own), abs=1e-3)


@pytest.mark.parametrize("seed", [9, 10])  # with these the paired comparison alone would rule out half of the designs
def test_a_flat_curve_is_said_to_be_flat(seed):
    surrogate = fitted(lambda w: np.ones(len(w)), 0.02, seed)
    found = find_optimum(surrogate, 3, 2)
    assert found.flat
    assert found.fraction >= 0.9
    assert found.interval[0] == pytest.approx((0.5, 1.0), abs=0.05)
    assert not found.uncertain
    assert found.sentence.startswith("The revenue is flat")
    assert found.low <= 1 <= found.high
    assert find_optimum(surrogate, 3, 2) == found  # the same answer again


def test_a_peak_is_found_with_its_interval():
    found = find_optimum(
        fitted(lambda w: 0.9 - (w[:, 0] - 0.62) ** 2, 0.02), 3, 2, confidence=0.98, objective="highest bid"
    )
    low, high = found.interval[0]
    assert low <= 0.62 <= high
    assert high - low < 0.3
    assert found.weights[0] == pytest.approx(0.62, abs=0.03)
    assert found.low <= 0.9 <= found.high
    assert found.sentence.startswith(f"Best weights ({found.weights[0]:.3g}, ")
    assert f"predicted highest bid {found.value:.4g} (98% interval" in found.sentence
    assert f"w_1 from {low:.3g} to {high:.3g}." in found.sentence


def test_many_ranks_have_a_range_each():
    target = np.array([0.5, 0.3, 0.2, 0.0, 0.0])
    surrogate = fitted(lambda w: 1 - np.sum((w - target) ** 2, axis=1), 0.01, n=5, m=3, designs=100, members=20)
    found = find_optimum(surrogate, 5, 3)
    ranges = np.array(found.interval)
    assert ranges.shape == (5, 2)
    assert np.all(ranges[:, 0] <= found.weights)
    assert np.all(found.weights <= ranges[:, 1])
    assert np.all(ranges[3:] == 0)
    assert np.abs(np.array(found.weights) - target).max() < 0.05
    assert found.fraction < 0.2
    assert found.sentence.count("w_") == 3


def test_an_interval_narrower_than_the_sample_is_resolved_in_many_ranks():
    found = find_optimum(Drawn(np.full(1, 0.75), normal(0.01)), 6, 6)
    low, high = found.interval[0]
    assert high - low == pytest.approx(2 * 1.2 * 1.645 * 0.005, rel=0.2)


@dataclasses.dataclass(frozen=True)
class NearAnEdge:
    """Members 1 − |w − peak|² + slope·w_1."""

    peak: np.ndarray
    slopes: np.ndarray
    r2: float = 0.9
    rmse: float = 0.01

    def members(self, weights):
        w = np.asarray(weights)
        return 1 - ((w - self.peak) ** 2).sum(axis=-1) + self.slopes[:, None] * w[:, 0]

    def value_and_gradient(self, weights):
        gradient = -2 * (np.asarray(weights) - self.peak)
        gradient[:, 0] += self.slopes.mean()
        return self.members(weights).mean(axis=0), gradient


@pytest.mark.parametrize("floors", [(0, 0, 0, 0), (0.05, 0.05, 0.05, 0.02)])
def test_a_range_reaches_the_edge_that_no_sample_comes_to(floors):
    """That the third and the fourth win no more than they must is as good, by far, as can be told."""
    where = Bounded(5, floors) if any(floors) else OrderedSimplex(5, 4)
    least = np.array([0, 0, *floors[2:], 0])
    peak = np.array([0.75, 0.25, 0.004, 0.002, 0]) + least
    peak[0] -= peak.sum() - 1
    found = find_optimum(NearAnEdge(peak, normal(0.04, size=60)), 5, polytope=where)
    assert [low for low, _ in found.interval[2:]] == least[2:].tolist()
    assert found.weights[2] > least[2] + 1e-3


def test_one_rank_leaves_no_choice():
    found = find_optimum(Drawn(normal(0.1), np.zeros(1)), 3, 1)
    assert found.weights == (1, 0, 0)
    assert found.fraction == 1
    assert not found.flat
    assert found.sentence.startswith("Only the weights (1, 0, 0) are possible")


def test_a_line_ends_at_the_edge():
    found = find_optimum(fitted(lambda w: w[:, 0] / 2, 5e-4), 3, 2)
    assert found.weights == (1.0, 0.0, 0.0)  # without the dust of the ascent's arithmetic
    assert found.interval[0][0] >= 0.99
    assert found.low <= 0.5 <= found.high
    assert not found.flat


@pytest.mark.parametrize(
    ("surrogate", "resolution", "why"),
    [
        (Tilted(normal(0.5)), 0.0, "predictions with their uncertainty run from"),
        (Tilted(normal(0.02)), 0.06, "differences below 0.06 are not resolved"),
        (Tilted(normal(0.02), r2=-8.9, rmse=0.04), 0.0, "worse than their mean, r² = -8.9"),
    ],
)
def test_what_is_unknown_is_not_said_to_be_flat(surrogate, resolution, why):
    found = find_optimum(surrogate, 3, 2, resolution=resolution)
    assert not found.flat
    assert found.uncertain
    assert found.undecided
    assert found.sentence.startswith("Cannot tell")
    assert why in found.sentence
    assert not find_optimum(Tilted(normal(0.02), r2=-8.9, rmse=0.004), 3, 2).uncertain  # nearly equal designs


def test_the_interval_of_the_value_has_room_on_both_sides_and_nothing_below_zero():
    for sd in (0.02, 0.5, 20.0):
        found = find_optimum(Tilted(normal(sd)), 3, 2)
        assert 0 <= found.low < found.value < found.high


def test_long_rows_are_told_in_groups():
    assert in_words([0.75, 0.25] + [1e-9] * 48) == "(0.75, 0.25, 0, …, 0)"
    assert in_words([0.3] + [0.1] * 7 + [0.0] * 2) == "1 weight of 0.3, 7 of 0.1, 2 of 0"
    assert in_words([k / 55 for k in range(10, 0, -1)]) == "10 weights from 0.182 down to 0.0182"
    found = find_optimum(Tilted(normal(0.01)), 50, 49)
    zero = ((0.0, 7e-27),) * 42
    seven = dataclasses.replace(
        found, weights=(1 / 7,) * 7 + (0.0,) * 43, interval=((0.1, 0.2),) * 7 + zero + ((0, 0),)
    )
    assert "best found, 7 equal weights of 0.143, 43 of 0, is" in seven.sentence
    assert "(w_1 to w_7 from 0.1 to 0.2)" in seven.sentence
    assert found.ranges().count("w_") <= 12
    assert "the others at most" in found.ranges()


@pytest.mark.parametrize("options", [{"confidence": 0.0}, {"confidence": 1.0}, {"resolution": -1.0}])
def test_options_out_of_bounds_are_refused(options):
    with pytest.raises(AllpayError, match="must "):
        find_optimum(Drawn(normal(0.1), np.zeros(1)), 3, 2, **options)


@dataclasses.dataclass(frozen=True)
class TwoPeaks:
    """Members that all have peaks of the same height at .6 and at .95, and a valley between."""

    r2: float = 0.99
    rmse: float = 0.001

    def members(self, weights):
        w = np.asarray(weights)[:, 0]
        curve = 1 - np.minimum((w - 0.6) ** 2, (w - 0.95) ** 2)
        return curve + 1e-6 * np.linspace(-1, 1, 20)[:, None]

    def value_and_gradient(self, weights):
        w = np.asarray(weights)[:, 0]
        gradient = np.zeros(np.shape(weights))
        gradient[:, 0] = -2 * np.where(w < 0.775, w - 0.6, w - 0.95)
        return self.members(weights).mean(axis=0), gradient


def test_a_set_with_a_gap_is_said_in_its_parts():
    found = find_optimum(TwoPeaks(), 3, 2, resolution=0.0004)
    first, second = found.parts[0]
    assert first == pytest.approx((0.58, 0.62), abs=2e-3)
    assert second == pytest.approx((0.93, 0.97), abs=2e-3)
    assert found.interval[0] == (first[0], second[1])  # the hull
    assert np.array(found.parts[1]) == pytest.approx(1 - np.array([second, first])[:, ::-1])
    assert found.ranges("w") == "w from 0.58 to 0.62 and from 0.93 to 0.97"
    assert found.ranges("w") in found.sentence.replace("w_1", "w")
    several = find_optimum(TwoPeaks(), 6, 4, resolution=0.0004)  # a sample of designs, of which each has gaps
    assert len(several.parts[0]) == 2
    assert all(len(parts) == 1 for parts in find_optimum(Drawn(np.full(1, 0.75), normal(0.06)), 6, 4).parts)


def test_of_many_parts_their_number_is_said():
    found = find_optimum(TwoPeaks(), 3, 2, resolution=0.0004)
    many = tuple((0.5 + k / 20, 0.51 + k / 20) for k in range(9))
    assert dataclasses.replace(found, intervals=(many,)).ranges("w") == "w in 9 parts between 0.5 and 0.91"


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("least", [0.0, -5.0])
def test_nothing_below_the_least_is_said_to_be_possible(least, seen):
    """Members that scatter by more than their value, with designs that were seen and without."""
    wild = Tilted(normal(40.0))
    weights = np.array([[0.5, 0.5, 0.0], [0.75, 0.25, 0.0], [1.0, 0.0, 0.0]])
    rounds = 1 + np.random.default_rng(0).normal(0, 0.1, (3, 5))
    evidence = Evidence(weights, rounds, np.ones(3)) if seen else None
    found = find_optimum(wild, 3, 2, least=least, evidence=evidence)
    assert f"predictions with their uncertainty run from {least:.3g} to " in found.unknown
