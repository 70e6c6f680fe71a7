"""Active studies: which designs the ensemble chooses, that nothing but the study decides it, and when it stops."""

import json
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import allpay.study.sweep as sweep_module
from allpay.acquisition import DISTINCT, next_designs
from allpay.cli import app
from allpay.contest.game import Setting
from allpay.contest.values import Private
from allpay.errors import AllpayError
from allpay.learners import InteriorPoint
from allpay.optimum import expected_loss
from allpay.pipeline import choose_next, design
from allpay.report.summary import summarise
from allpay.simplex import Box, OrderedSimplex
from allpay.study import DesignSpace, Study, run
from allpay.surrogate import fit_surrogate
from allpay.theory import design_objective

LEARNER = InteriorPoint(auctions=10)
SETTING = Setting(Private(levels=16), cost_power=2.0, bid_levels=21)
ACTIVE = Study(DesignSpace(bidders=4), LEARNER, SETTING, 16, 1, strategy="active")


@dataclass(frozen=True)
class Drawn:
    """Members 1 − |w − peak|², in closed form."""

    peaks: np.ndarray

    def members(self, weights):
        return 1 - np.sum((np.asarray(weights) - self.peaks[:, None]) ** 2, axis=-1)

    def members_and_gradients(self, weights):
        return self.members(weights), -2 * (np.asarray(weights) - self.peaks[:, None])


def peaks(sd, n=4, m=3, size=400, seed=0):
    """Members' peaks scattered about a design, and this design."""
    rng = np.random.default_rng(seed)
    centre = np.array([0.5, 0.3, 0.2] + [0.0] * (n - m))
    return Drawn(centre + sd * rng.standard_normal((size, n)) * (np.arange(n) < m)), centre


@pytest.mark.parametrize(
    "space", [OrderedSimplex(4, 3), OrderedSimplex(4, 3, first_at_most=0.6), Box(4, (0,) * 4, (1,) * 4)]
)
def test_chosen_designs_lie_inside_and_apart(space):
    surrogate, _ = peaks(0.05)
    known = space.uniform(20, np.random.default_rng(0))
    chosen = next_designs(surrogate, space, known, 6, seed=1)
    space.coordinates(chosen)
    every = np.concatenate([known, chosen])
    apart = np.abs(every[:, None] - every).sum(axis=2) + np.eye(len(every))
    assert apart.min() >= DISTINCT * 0.999
    np.testing.assert_array_equal(chosen, next_designs(surrogate, space, known, 6, seed=1))
    assert np.any(chosen != next_designs(surrogate, space, known, 6, seed=2))


def test_with_nothing_in_doubt_the_best_is_chosen():
    surrogate, centre = peaks(0.0)
    chosen = next_designs(surrogate, OrderedSimplex(4, 3), np.eye(4)[:1], 3, seed=0)
    np.testing.assert_allclose(chosen[0], centre, atol=1e-3)
    assert np.abs(chosen - centre).sum(axis=1).max() < 0.2  # the others are its neighbours


def test_bold_bounds_go_where_members_differ():
    """Scatter that grows with the distance: mean + κ sd has its peak ever further from the mean's own."""
    surrogate, centre = peaks(0.1, size=2000)
    chosen = next_designs(surrogate, OrderedSimplex(4, 3), np.eye(4)[:1], 5, seed=0)
    apart = np.abs(chosen - centre).sum(axis=1)
    assert apart[0] < 0.1
    assert apart[-1] > 3 * apart[0]
    sd = surrogate.members(chosen).std(axis=0)
    assert sd[-1] > 1.5 * sd[0]


def test_a_chosen_design_is_where_its_bound_is_highest():
    surrogate, _ = peaks(0.1)
    space = OrderedSimplex(4, 3)
    (chosen,) = next_designs(surrogate, space, np.eye(4)[:1], 1, seed=3)
    kappa = -np.log1p(-np.random.default_rng(3).random())
    everywhere = space.uniform(4000, np.random.default_rng(5))

    def bound(w):
        every = surrogate.members(w)
        return every.mean(axis=0) + kappa * every.std(axis=0, ddof=1)

    assert bound(chosen[None])[0] >= bound(everywhere).max() - 1e-4


@pytest.fixture(scope="module")
def undisturbed():
    return run(ACTIVE, choose=choose_next)


def test_designs_are_chosen_after_the_first(undisturbed):
    assert undisturbed.designs == 16
    assert [len(stage) for stage in ACTIVE.stages] == [8, 4, 4]
    np.testing.assert_array_equal(undisturbed.weights[:8], ACTIVE.designs)
    np.testing.assert_allclose(undisturbed.weights.sum(axis=1), 1, atol=1e-12)
    assert undisturbed.stopped == "all 16 designs of the budget were used"
    again = run(Study(ACTIVE.space, LEARNER, SETTING, 16, 1, strategy="active", seed=1), choose=choose_next)
    assert not np.any(np.all(again.weights[8:] == undisturbed.weights[8:], axis=1))


@pytest.mark.parametrize("size", [1, 3])
def test_the_batch_size_changes_nothing(undisturbed, size):
    assert run(ACTIVE, choose=choose_next, batch=size).table.equals(undisturbed.table)


def test_workers_change_nothing(undisturbed):
    assert run(ACTIVE, workers=2, choose=choose_next).table.equals(undisturbed.table)


class Interrupt(BaseException):
    """Stands for the end of a process at a chosen moment."""


def test_interruptions_and_lost_batches_change_nothing(undisturbed, tmp_path):
    def stop(done: int, total: int) -> None:
        if done >= 9:
            raise Interrupt

    with pytest.raises(Interrupt):
        run(ACTIVE, tmp_path / "study", stop, choose=choose_next)
    assert run(ACTIVE, tmp_path / "study", choose=choose_next).table.equals(undisturbed.table)
    batches = sorted((tmp_path / "study" / "batches").iterdir())
    batches[0].unlink()  # of the first stage
    batches[-1].write_bytes(b"")
    assert run(ACTIVE, tmp_path / "study", choose=choose_next).table.equals(undisturbed.table)


def test_what_is_there_is_not_chosen_again(undisturbed, tmp_path):
    run(ACTIVE, tmp_path / "study", choose=choose_next)

    def fail(*_):
        pytest.fail("chosen again")

    assert run(ACTIVE, tmp_path / "study", choose=fail).table.equals(undisturbed.table)


def test_the_weights_of_a_sweep_are_those_of_its_table(undisturbed):
    changed = undisturbed.table.with_columns(w1=pl.lit(0.9))
    assert np.all(sweep_module.Sweep(ACTIVE, changed).weights[:, 0] == 0.9)


def test_nobody_to_choose_is_said():
    with pytest.raises(AllpayError, match=r"run it by allpay\.design"):
        run(ACTIVE)


def test_a_study_stops_when_it_knows_enough():
    fine = Setting(Private(levels=32), cost_power=2.0, bid_levels=101)
    study = Study(DesignSpace(), LEARNER, fine, 40, 1, strategy="active", precision=0.01)
    found = design(study)
    assert 8 <= found.sweep.designs < 40
    assert "within the precision of 0.01" in found.sweep.stopped
    text = " ".join(summarise(found).split())
    assert f"{found.sweep.designs} of at most 40 were simulated; stopped since the design" in text
    assert "give more --samples" not in text
    assert found.exact is not None
    assert found.exact_best is not None
    assert found.exact > 0.99 * found.exact_best.value  # all to the winner


@dataclass(frozen=True)
class Parabolas:
    """Members 1 − (w_1 − p)², each with a peak p of its own."""

    peaks: np.ndarray

    def members(self, weights):
        return 1 - (np.asarray(weights)[:, 0] - self.peaks[:, None]) ** 2

    def value_and_gradient(self, weights):
        slope = np.zeros(np.shape(weights))
        slope[:, 0] = 2 * (self.peaks.mean() - np.asarray(weights)[:, 0])
        return self.members(weights).mean(axis=0), slope


def test_the_loss_expected_is_what_each_member_loses_to_its_own_best():
    """The mean peak is best by the mean, and loses (p − mean)² by the member whose peak is p."""
    drawn = np.random.default_rng(0).normal(0.75, 0.03, 200)
    loss = expected_loss(Parabolas(drawn), OrderedSimplex(3, 2))
    assert loss == pytest.approx(drawn.var() / (1 - drawn.var()), rel=0.01)


def test_given_designs_come_first():
    study = Study(DesignSpace(), LEARNER, SETTING, 12, 1, strategy="active", given=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
    swept = run(study, choose=choose_next)
    np.testing.assert_allclose(swept.weights[:6, 0], [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert swept.designs == 12


def test_it_takes_fewer_designs_than_a_sample():
    """Five bidders, private values, cost b²: a known optimum (.8, .2, 0, 0, 0), seen exactly, with 28 designs each."""
    space = DesignSpace(bidders=5)
    game = Setting(cost_power=2.0).game(space.mechanism(1.0))
    exact = design_objective(game, "prizes")

    def regret(weights):
        return 1 - float(exact(weights)[0]) / 1.2909944

    ended = []
    for seed in range(3):
        study = Study(space, samples=28, strategy="active", seed=seed)
        known = study.designs
        for stage in study.stages[1:]:
            surrogate = fit_surrogate(known, exact(known)[0], seed, members=10, steps=100)
            known = np.concatenate([known, next_designs(surrogate, space.polytope, known, len(stage), len(known))])
        sample = space.sample(28, seed)
        ended.append((regret(known[exact(known)[0].argmax()]), regret(sample[exact(sample)[0].argmax()])))
    active, uniform = np.median(ended, axis=0)
    assert active < 2e-4
    assert active < uniform / 5


def test_an_active_study_on_the_command_line(tmp_path):
    """Stopped by its precision, it is finished, though not all designs were needed."""
    folder = tmp_path / "study"
    options = ["--learner", "interior-point", "--rounds", "1", "--bid-levels", "21", "--value-levels", "16"]
    active = ["--strategy", "active", "--samples", "30", "--precision", "0.02", "--cost-power", "2", "--json"]
    done = CliRunner().invoke(app, ["design", *options, *active, "--out", str(folder)])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["strategy"] == "active"
    assert told["region"] == "simplex"
    assert 8 <= told["designs"] < told["samples"] == 30
    assert "within the precision of 0.02" in told["stopped"]
    status = json.loads(CliRunner().invoke(app, ["status", str(folder), "--json"]).stdout)
    assert (status["designs"], status["finished"]) == (told["designs"], True)
    again = json.loads(CliRunner().invoke(app, ["resume", str(folder), "--json"]).stdout)
    assert {**again, "seconds": 0, "files": 0} == {**told, "seconds": 0, "files": 0}
