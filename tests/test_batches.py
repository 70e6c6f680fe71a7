"""How designs are parted into batches: long enough, few enough, small enough; a function of the study alone."""

import math
from dataclasses import replace

import pytest

from allpay.contest.game import Setting
from allpay.contest.success import Tullock
from allpay.contest.values import Private
from allpay.learners import DQN, LEARNERS, FictitiousPlay, learner
from allpay.study import DesignSpace, Study
from allpay.study.batches import (
    LEAST,
    MEMORY,
    MOST_BATCHES,
    SECONDS,
    batches_of,
    designs_per_batch,
    seconds_per_run,
)


@pytest.mark.parametrize(("designs", "size"), [(1, 1), (7, 3), (9, 3), (5, 100)])
def test_every_design_is_in_one_batch(designs, size):
    batches = batches_of(Study(samples=designs), size)
    assert [design for batch in batches for design in batch] == list(range(designs))
    assert max(map(len, batches)) <= size


def test_designs_of_a_batch_are_known_at_the_same_time():
    study = Study(samples=30, strategy="active")
    batches = batches_of(study, 5)
    assert [design for batch in batches for design in batch] == list(range(30))
    starts = {stage.start for stage in study.stages}
    assert len(starts) > 3
    assert starts <= {batch.start for batch in batches}


def test_all_learners_have_been_timed():
    assert set(SECONDS) == set(LEARNERS)


@pytest.mark.parametrize("name", [*LEARNERS])
def test_batches_last_long_enough_and_are_not_too_many(name):
    for samples, rounds in ((5, 1), (50, 10), (1_000_000, 10)):
        study = Study(learner=learner(name), samples=samples, rounds=rounds)
        size = designs_per_batch(study)
        assert size * rounds * seconds_per_run(study) >= LEAST
        assert math.ceil(samples / size) <= MOST_BATCHES
        cells = study.setting.bid_levels * study.setting.values.levels
        assert size * rounds * cells * study.space.bidders * 8 <= MEMORY


def test_longer_runs_make_smaller_batches():
    usual, longer, larger = (
        Study(learner=learner) if setting is None else Study(learner=learner, setting=setting)
        for learner, setting in (
            (FictitiousPlay(), None),
            (FictitiousPlay(iterations=9000), None),
            (FictitiousPlay(), Setting(Private(levels=128), bid_levels=404)),
        )
    )
    assert seconds_per_run(longer) == pytest.approx(3 * seconds_per_run(usual))
    assert seconds_per_run(larger) == pytest.approx(8 * seconds_per_run(usual))
    assert designs_per_batch(usual) > designs_per_batch(longer) > designs_per_batch(larger)


def test_more_bidders_take_a_learner_on_exact_payoffs_little_longer():
    """Its batches hold more designs than those of one that draws for each bidder; with luck or groups they do not."""

    def longer(learner, **setting):
        few, many = (
            Study(DesignSpace("prizes", n), learner=learner, setting=replace(learner.setting, **setting))
            for n in (3, 96)
        )
        return seconds_per_run(many) / seconds_per_run(few)

    assert longer(FictitiousPlay()) == pytest.approx(32**0.3)
    assert longer(FictitiousPlay(), luck=Tullock(1)) == pytest.approx(32)
    assert longer(DQN()) == pytest.approx(32)


def test_memory_goes_before_all_else():
    study = Study(samples=1_000_000, setting=Setting(Private(levels=1000), bid_levels=1001))
    size = designs_per_batch(study)
    assert 1 <= size <= 2
    assert study.samples / size > MOST_BATCHES


@pytest.mark.parametrize("rounds", [1, 3, 4, 10, 12])
def test_runs_trained_side_by_side_fill_their_chunks(rounds):
    study = Study(learner=DQN(), rounds=rounds)
    assert designs_per_batch(study) * rounds % study.learner.chunk == 0
