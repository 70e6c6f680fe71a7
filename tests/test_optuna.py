"""Inside Optuna's own study loop: designs as its parameters, and the ensemble as its sampler."""

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

from allpay.adapters.optuna import AllpaySampler, suggest_weights, weights_of  # noqa: E402
from allpay.errors import AllpayError  # noqa: E402
from allpay.simplex import OrderedSimplex  # noqa: E402

PEAK = np.array([0.5, 0.3, 0.2, 0.0])


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def loss(trial):
    return float(np.sum((np.array(suggest_weights(trial, 4)) - PEAK) ** 2))


def studied(sampler, objective=loss, trials=20, **options):
    study = optuna.create_study(sampler=sampler, **options)
    study.optimize(objective, n_trials=trials)
    return study


def test_a_known_peak_is_found_and_by_fewer_trials_than_at_random():
    study = studied(AllpaySampler(4, seed=0))
    np.testing.assert_allclose(weights_of(study.best_trial, 4), PEAK, atol=0.01)
    assert study.best_value < studied(optuna.samplers.RandomSampler(seed=0)).best_value / 20


def test_to_maximise_is_to_minimise_the_negative():
    up = studied(AllpaySampler(4, seed=0), lambda trial: -loss(trial), 12, direction="maximize")
    down = studied(AllpaySampler(4, seed=0), trials=12)
    assert [t.params for t in up.trials] == [t.params for t in down.trials]


def test_the_same_seed_gives_the_same_trials():
    runs = [[t.params for t in studied(AllpaySampler(4, seed=seed), trials=12).trials] for seed in (3, 3, 4)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    # as one study, or gone on with by another sampler of the same seed
    study = studied(AllpaySampler(4, seed=3), trials=7)
    study.sampler = AllpaySampler(4, seed=3)
    study.optimize(loss, n_trials=5)
    assert [t.params for t in study.trials] == runs[0]


def test_every_suggestion_is_a_design_and_comes_back():
    study = studied(AllpaySampler(4, seed=1), trials=12)
    for trial in study.trials:
        weights = np.array(weights_of(trial, 4))
        assert np.all(np.diff(weights) <= 0)
        assert weights.sum() == pytest.approx(1)
        assert all(0 <= u <= 1 for u in trial.params.values())
    assert set(study.trials[0].params) == {"stick_1", "stick_2"}


def test_failed_and_pruned_trials_and_other_parameters_are_left_out():
    def objective(trial):
        value = loss(trial) + 0.0 * trial.suggest_int("other", 1, 5)
        if trial.number == 2:
            raise optuna.TrialPruned
        if trial.number == 3:
            raise ValueError
        return float("inf") if trial.number == 4 else value

    study = optuna.create_study(sampler=AllpaySampler(4, seed=0))
    study.optimize(objective, n_trials=18, catch=(ValueError,))
    assert len(study.trials) == 18
    assert study.best_value < 0.01
    assert len({t.params["other"] for t in study.trials}) > 1


def test_threads_do_not_get_the_same_design():
    study = optuna.create_study(sampler=AllpaySampler(4, seed=0))
    study.optimize(loss, n_trials=14, n_jobs=2)
    assert len({tuple(t.params.values()) for t in study.trials}) == 14


def test_names_and_ranks_can_be_chosen():
    def objective(trial):
        return suggest_weights(trial, 6, prizes=3, name="prize")[0]

    study = studied(AllpaySampler(6, 3, seed=0, name="prize", first=6), objective, 9, direction="maximize")
    assert set(study.best_params) == {"prize_1", "prize_2"}
    assert weights_of(study.best_trial, 6, 3, "prize")[3:] == (0, 0, 0)
    assert study.best_value > 0.99


def test_other_samplers_are_given_uniform_designs():
    weights = [weights_of(t, 4) for t in studied(optuna.samplers.RandomSampler(seed=0), trials=300).trials]
    uniform = OrderedSimplex(4, 3).uniform(4000, np.random.default_rng(0))
    np.testing.assert_allclose(np.mean(weights, axis=0), uniform.mean(axis=0), atol=0.02)


def test_what_does_not_fit_is_said():
    with pytest.raises(AllpayError, match="between 1 and 4 ranks of 4"):
        AllpaySampler(4, 5)
    with pytest.raises(AllpayError, match="at least 5 designs to fit: got 3"):
        AllpaySampler(4, first=3)
    study = studied(optuna.samplers.RandomSampler(seed=0), lambda trial: trial.suggest_float("x", 0, 1), 1)
    with pytest.raises(AllpayError, match="no parameter 'stick_1'"):
        weights_of(study.best_trial, 4)
    several = optuna.create_study(sampler=AllpaySampler(4, seed=0), directions=["minimize", "minimize"])
    with pytest.raises(AllpayError, match="a study of 2"):
        several.optimize(lambda trial: (loss(trial), 0.0), n_trials=1)


@pytest.mark.filterwarnings("ignore:PartialFixedSampler is experimental")
@pytest.mark.parametrize("fixed", [{"stick_1": 0.25}, {"stick_1": 0.25, "stick_2": 0.5}])
def test_some_numbers_of_a_design_can_be_fixed(fixed):
    sampler = optuna.samplers.PartialFixedSampler(fixed, AllpaySampler(4, seed=0))
    study = studied(sampler, trials=10)
    assert all(trial.params[name] == value for trial in study.trials for name, value in fixed.items())
    assert all(set(trial.params) == {"stick_1", "stick_2"} for trial in study.trials)
