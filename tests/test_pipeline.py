"""The whole pipeline on cases whose answer is known, and its parts that compare simulation with theory."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from allpay.contest.game import Game, Setting
from allpay.contest.values import Common, Private
from allpay.errors import AllpayError
from allpay.evidence import Evidence
from allpay.exact import best_in_theory
from allpay.learners import EpsilonGreedy, FictitiousPlay, run_seeds
from allpay.outcome import Outcome
from allpay.pipeline import (
    beyond_chance,
    design,
    grid_resolution,
    left_by_learning,
    measured_optimum,
    sampling_resolution,
)
from allpay.simulation import Estimate, changes_on_finer_grid, coarseness
from allpay.study import DesignSpace, Study, run
from allpay.study.study import CHECKING, LOOKING, TRAINING
from allpay.surrogate import fit_surrogate
from allpay.theory import equilibrium


@pytest.fixture(scope="module")
def winner_take_all():
    return design(Study(DesignSpace("prizes"), samples=20, rounds=3))


def test_prizes_with_private_values_go_to_the_winner(winner_take_all):
    """Revenue is w/2: the best design gives all to the highest bidder (Moldovanu and Sela 2001)."""
    found = winner_take_all
    assert found.optimum.weights[0] >= 0.99
    assert found.checked.mean == pytest.approx(0.5, rel=0.01)
    assert found.optimum.low <= found.checked.mean <= found.optimum.high
    assert found.optimum.interval[0][0] > 0.9
    assert not found.optimum.flat
    assert found.exact == pytest.approx(0.5, rel=1e-3)
    assert found.exact_best.weights[0] == pytest.approx(1.0)
    assert found.exact_best.value == pytest.approx(0.5)
    assert not found.exact_best.flat
    assert found.surrogate.r2 > 0.99


def test_the_check_uses_seeds_that_the_sweep_did_not(winner_take_all):
    again = design(Study(DesignSpace("prizes"), samples=20, rounds=3))
    assert again.optimum == winner_take_all.optimum
    assert again.checked == winner_take_all.checked
    assert not set(winner_take_all.checked.rounds) & set(winner_take_all.sweep.table["revenue"])


def test_payments_with_private_values_are_flat():
    """Revenue equivalence: no weight is better than another, and the program says so."""
    found = design(Study(DesignSpace("payments"), samples=20, rounds=3))
    assert found.optimum.flat
    assert found.optimum.interval[0][1] - found.optimum.interval[0][0] > 0.45
    assert "flat" in found.optimum.sentence
    assert found.exact_best.flat


def test_the_highest_bid_has_its_own_best():
    """`prizes`, private values: w/3 − (1−w)/15 rises in w; its value at 1 is ⅓."""
    found = design(Study(DesignSpace("prizes"), samples=12, rounds=2, objective="highest-bid"))
    assert found.optimum.weights[0] >= 0.99
    assert found.checked.mean == pytest.approx(1 / 3, rel=0.01)


def test_five_bidders_have_designs_of_four_weights():
    learner = FictitiousPlay(iterations=500, auctions=100)
    found = design(Study(DesignSpace("prizes", bidders=5), learner, samples=25, rounds=2))
    assert found.sweep.weights.shape == (25, 5)
    assert len(found.optimum.weights) == 5
    assert found.optimum.weights[0] > 0.9
    assert np.all(np.diff(found.optimum.weights) <= 0)
    assert math.fsum(found.optimum.weights) == pytest.approx(1.0)


def test_a_coarser_grid_leaves_more_open():
    learner = FictitiousPlay(iterations=1000, auctions=100)
    left = [
        grid_resolution(run(Study(DesignSpace("prizes"), learner, Setting(bid_levels=levels), samples=5, rounds=1)))
        for levels in (11, 101)
    ]
    assert left[0] > left[1] > 0


def test_noise_between_rounds_is_not_taken_for_the_grid():
    rng = np.random.default_rng(0)
    noise = [beyond_chance(0.02 * rng.standard_normal((5, 3))) for _ in range(300)]
    assert np.mean(np.array(noise) > 0) < 0.1
    assert beyond_chance(0.1 + 1e-4 * rng.standard_normal((5, 3))) == pytest.approx(0.1, abs=1e-3)
    assert beyond_chance(np.full((5, 1), -0.1)) == pytest.approx(0.1)


@dataclass(frozen=True)
class Jump:
    """A learner of known truth: revenue is best just before a jump, and so is what it costs to miss it."""

    name: ClassVar[str] = "jump"
    setting: ClassVar[Setting] = Setting(Private(levels=2), bid_levels=3)
    continuous: ClassVar[bool] = False
    noise: float = 0.005

    def learn(self, games, seeds):
        w = np.array([game.mechanism.prizes[0] for game in games])
        noise = [[np.random.default_rng(int(seed)).standard_normal() for seed in row] for row in seeds]
        revenue = jump(w)[:, None] + self.noise * np.array(noise)
        levels = games[0].value_levels, games[0].bid_levels
        none, strategy = np.zeros(revenue.shape), np.zeros((*revenue.shape, 1, *levels))
        strategy[..., 0] = 1
        ones = np.ones(revenue.shape, np.int64)
        some = (revenue, revenue / 3, revenue, revenue / 3, none, none, none)
        return Outcome(tuple(games), self.name, strategy, *some, none[..., None], ones, 0)


def jump(w):
    return 1 + 0.3 * (w - 0.5) - 0.12 * (w > 0.7)


@pytest.fixture(scope="module")
def at_a_jump():
    return [design(Study(learner=Jump(), samples=30, rounds=5, seed=seed)) for seed in range(3)]


def test_a_jump_is_in_the_set_and_the_value_is_measured(at_a_jump):
    for found in at_a_jump:
        best = found.optimum
        assert best.interval[0][0] <= 0.7 <= best.interval[0][1]
        assert best.measured
        assert best.value == found.checked.mean
        assert abs(best.value - jump(best.weights[0])) < 2 * (best.high - best.value)
        assert 1.3 < (best.high - best.low) / (2 * 0.005 / np.sqrt(5)) < 2.6  # t of few rounds, moderated
        assert not best.undecided
        assert jump(best.weights[0]) > 1.03


def test_the_rounds_that_measure_the_value_did_not_choose_the_design(at_a_jump):
    """Each of the streams has seeds of its own, and what was looked at is not what is reported."""
    study = at_a_jump[0].sweep.study
    streams = [run_seeds(study.seed, 8, study.rounds, stream) for stream in (TRAINING, LOOKING, CHECKING)]
    assert len(np.unique(streams)) == 3 * 8 * study.rounds
    measured = study.learner.learn([study.game(at_a_jump[0].optimum.weights)], streams[2][:1])
    assert at_a_jump[0].checked.rounds == tuple(measured.revenue[0])


def test_the_interval_of_the_value_is_clipped_where_it_is_made():
    """One interval everywhere, in the optimum as in what is said of it: not below 0, nor above what everybody can pay."""
    study = Study(samples=5, rounds=2)
    weights, rounds = (1.0, 0.0, 0.0), np.array([[0.02, 2.95]])
    check = study.learner.learn([study.game(weights)], run_seeds(0, 1, 2, CHECKING))
    surrogate = fit_surrogate(study.designs, np.linspace(0.1, 0.2, 5), 0, members=5, steps=1)
    evidence = Evidence(study.designs, np.full((5, 2), [0.0, 3.0]), surrogate.held_out)
    found = measured_optimum(study, surrogate, evidence, 0.0, weights, replace(check, revenue=rounds))
    assert (found.low, found.high) == (0.0, study.goal.most(check.games[0]))
    assert study.goal.most(check.games[0]) == pytest.approx(3.0)
    quiet = Evidence(study.designs, np.full((5, 2), [1.5, 1.51]), surrogate.held_out)
    settled = replace(check, revenue=np.array([[1.5, 1.51]]))
    without, beside = (
        measured_optimum(study, surrogate, replace(quiet, grid=grid), 0.0, weights, settled) for grid in (0.0, 0.5)
    )
    assert without.low - beside.low == pytest.approx(0.5)  # the grid's error is in the one interval
    assert beside.high - without.high == pytest.approx(0.5)
    assert without.high - without.low < 0.05


def test_a_grid_that_is_part_of_the_game_leaves_nothing_open():
    learner = EpsilonGreedy(iterations=2000, exploration=1000, tail=500)
    assert grid_resolution(run(Study(learner=learner, samples=5, rounds=1))) == 0


def test_theory_best_of_common_values_is_flat_and_of_quadratic_cost_is_equal_prizes():
    space = DesignSpace("prizes")
    assert best_in_theory(space, Setting(Common()), "revenue").flat
    best = best_in_theory(space, Setting(Common(), cost_power=2.0), "revenue")
    assert best.weights[0] == pytest.approx(0.5)
    assert best.value == pytest.approx(1.6661, abs=1e-4)


@pytest.mark.parametrize("n", [5, 10])
def test_theory_finds_the_best_of_many_prizes(n):
    """Cost b², values uniform on [0, 1]: √(n/3) is the most that can be had, and prizes exist that bring it.

    With U(v) = ∫₀^v Π the cost of a bid is v²·(U/v)′, so that ∫ c/v² dv = U(1) = 1/n whatever the prizes; n·∫ √c is then
    highest at c = (3/n) v⁴, where Π = (4/n) v³: prizes in proportion to C(n−k, 3).
    """
    best = best_in_theory(DesignSpace("prizes", bidders=n), Setting(cost_power=2.0), "revenue")
    assert best.value == pytest.approx(math.sqrt(n / 3), rel=1e-9)
    prizes = [4 / n * math.comb(n - k, 3) / math.comb(n - 1, 3) for k in range(1, n + 1)]
    np.testing.assert_allclose(best.weights, prizes, atol=1e-5)


def test_a_design_with_an_equilibrium_among_many_without_is_found():
    """Common values without overbidding: only a corner of the space has a closed form, and nothing beside it."""
    space = DesignSpace("payments", bidders=4)
    best = best_in_theory(space, Setting(Common(), bid_levels=11, overbidding=False), "revenue")
    assert 0 < best.fraction < 0.1


def test_where_no_design_has_a_closed_form_theory_is_silent():
    """A first price would be the root of its cost, 4, and above the value; so would bids under all other weights."""
    limited = Setting(Common(2.0), cost_power=0.5, overbidding=False)
    assert best_in_theory(DesignSpace("payments"), limited, "revenue") is None


def test_where_a_cap_binds_theory_ascends_what_pools_at_it():
    """`payments` with private values: revenue is ½ for w ≥ 2/3, where the bids of all stay below 1, and less below it."""
    best = best_in_theory(DesignSpace("payments"), Setting(max_bid=1.0), "revenue")
    assert best.fraction == 1
    assert not best.flat
    assert best.value == pytest.approx(0.5)
    assert best.weights[0] > 2 / 3 - 1e-6


def test_too_few_designs_are_refused_before_any_is_learned():
    with pytest.raises(AllpayError, match="at least 5 designs to fit: got samples 4"):
        design(Study(samples=4))


def test_one_round_has_no_standard_error():
    assert math.isnan(Estimate((0.3,)).stderr)
    assert Estimate((1.0, 3.0)).stderr == pytest.approx(1.0)


def test_a_coarse_grid_is_said_and_a_fine_one_is_not():
    def note(revenue, **options):
        game = Game.from_weights("prizes", 0.8, 3, **options)
        return coarseness(game, equilibrium(game), revenue)

    assert note(0.4) is None
    assert "step is 10" in note(0.0, max_bid=1000.0)
    assert "21% off the closed form" in note(0.4849, values=Private(levels=1))
    assert "off the closed form" in note(0.4, max_bid=0.1)
    without = {"values": Common(4.0), "cost_power": 0.5, "overbidding": False}
    assert note(0.4, **without) is None  # no closed form to compare with


def test_a_grid_is_only_blamed_where_a_finer_one_gives_another_number():
    game = Game.from_weights("prizes", 0.8, 3)
    exact = equilibrium(game)
    asked = []

    def note(revenue, moved, chance=0.0):
        return coarseness(game, exact, revenue, 1.0, lambda: asked.append(revenue) or moved, chance)

    assert note(0.401, 0.2) is None
    assert note(0.41, 0.2, chance=0.02) is None
    assert asked == []  # nothing is learned again where nothing is off, or no more than by chance
    assert "the grid is too coarse" in note(0.5, -0.05)
    assert "12.5%: the grid" in note(0.5, -0.05)
    assert "not the grid's doing" in note(0.5, -0.001)
    assert "too coarse" not in note(0.5, -0.001)
    assert "4.4% off" in note(0.3824, 0.009)  # what passed in silence once
    assert "too coarse" in note(0.3824, 0.009, chance=0.01)


@dataclass(frozen=True)
class Shaken(Jump):
    """Revenue is half the step of the grid and noise, which the seed decides alone."""

    continuous: ClassVar[bool] = True
    far: float = 0.0

    def learn(self, games, seeds):
        outcome = super().learn(games, seeds)
        step = np.array([game.bid_grid[1] for game in games])[:, None]
        noise = outcome.revenue - jump(np.array([game.mechanism.prizes[0] for game in games]))[:, None]
        return replace(outcome, revenue=1 + step / 2 + noise, distance=np.full(seeds.shape, self.far))


def test_the_grid_s_change_is_that_of_the_same_rounds():
    """Two grids share their random numbers: noise above the change is in no difference of theirs."""
    study = Study(learner=Shaken(noise=0.2), samples=8, rounds=5)
    swept = run(study)
    changes = changes_on_finer_grid(study, swept.weights[2:4], [2, 3], swept.values()[2:4])
    assert changes.shape == (2, 3)
    steps = np.array([study.game(weights).bid_grid[1] for weights in swept.weights])
    np.testing.assert_allclose(changes, np.repeat(-steps[2:4, None] / 4, 3, axis=1))
    assert steps.min() / 4 <= grid_resolution(swept) / (2 * 1.25) <= steps.max() / 4


def test_designs_of_a_study_have_errors_of_their_own():
    """So the standard error of a difference of two is the root of the sum of squares, which is what is not resolved."""
    swept = run(Study(learner=Jump(noise=0.15), samples=400, rounds=2))
    error = swept.values() - jump(swept.weights[:, :1])
    means = error.mean(axis=1)
    assert np.std(means[::2] - means[1::2]) == pytest.approx(sampling_resolution(swept, None), rel=0.15)
    assert abs(np.corrcoef(error[::2].ravel(), error[1::2].ravel())[0, 1]) < 0.15


def test_what_is_left_to_learn_is_in_the_interval_of_the_value():
    """In proportion to the distance from equilibrium, up to the tolerance, beyond which the verdict speaks."""
    study = Study(learner=Shaken(), samples=5, rounds=2)
    check = study.learner.learn([study.game((1.0, 0.0, 0.0))], run_seeds(0, 1, 2, CHECKING))
    worth = check.revenue.mean()
    near, far = (left_by_learning(study, replace(check, distance=np.full((1, 2), d))) for d in (0.002, 0.5))
    assert near == pytest.approx(2 * 0.002 * worth)
    assert far == pytest.approx(2 * check.tolerance * worth)
    assert left_by_learning(replace(study, learner=Jump()), replace(check, distance=np.full((1, 2), 0.5))) == 0
    surrogate = fit_surrogate(study.designs, np.linspace(0.9, 1, 5), 0, members=5, steps=1)
    evidence = Evidence(study.designs, np.full((5, 2), [1.5, 1.51]), surrogate.held_out)
    settled, unsettled = (
        measured_optimum(study, surrogate, evidence, 0.0, (1.0, 0.0, 0.0), replace(check, distance=np.full((1, 2), d)))
        for d in (0.0, 0.005)
    )
    assert unsettled.high - settled.high == pytest.approx(2 * 0.005 * worth)
    assert settled.low - unsettled.low == pytest.approx(2 * 0.005 * worth)


def test_what_a_fresh_simulation_cannot_tell_apart_is_not_told_apart():
    """The set of designs is never narrower than what a simulation of as many rounds could see."""
    learner = EpsilonGreedy(iterations=20_000, exploration=5_000, tail=2_000)
    found = design(Study(learner=learner, samples=12, rounds=4))
    values = found.sweep.values()
    assert found.resolution == pytest.approx(np.sqrt(2 * values.var(axis=1, ddof=1).mean() / 4))
    assert found.resolution > 0
