"""Studies: what is drawn, what is kept, and that nothing but the specification changes a bit of it."""

import numpy as np
import pytest

from allpay.errors import AllpayError
from allpay.learners import EpsilonGreedy, FictitiousPlay
from allpay.study import DesignSpace, Study, run

QUICK = FictitiousPlay(iterations=50, auctions=100)
SMALL = Study(learner=QUICK, samples=7, rounds=2)


def test_three_bidders_give_one_weight_between_a_half_and_one():
    designs = Study(samples=200).designs
    assert designs.shape == (200, 3)
    assert np.all(designs[:, 2] == 0)
    assert np.all((designs[:, 0] >= 0.5) & (designs[:, 0] <= 1))
    assert designs[:, 0].mean() == pytest.approx(0.75, abs=0.03)


def test_a_longer_sample_begins_with_the_shorter():
    space = DesignSpace("payments", bidders=5)
    np.testing.assert_array_equal(space.sample(30, seed=4)[:10], space.sample(10, seed=4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "prices"}, "did you mean 'prizes'"),
        ({"bidders": 1}, "at least 2 bidders: got 1"),
        ({"bidders": 4, "ranks": 5}, "between 2 and 4 ranks of 4 can carry weight: got 5"),
    ],
)
def test_a_design_space_names_its_fault(options, message):
    with pytest.raises(AllpayError, match=message):
        DesignSpace(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples must be at least 1: got 0"),
        ({"rounds": 0}, "rounds must be at least 1: got 0"),
        ({"seed": -1}, "seed must be at least 0: got -1"),
        ({"objective": "welfair"}, "unknown objective 'welfair'.*did you mean 'welfare'"),
        ({"objective": "top-4"}, "top-4 needs at least 4 bidders: got 3"),
    ],
)
def test_a_study_names_its_fault(options, message):
    with pytest.raises(AllpayError, match=message):
        Study(**options)


@pytest.mark.parametrize("learner", [QUICK, EpsilonGreedy(iterations=3000, exploration=1000, tail=500)])
def test_the_batch_size_changes_nothing(learner):
    study = Study(learner=learner, samples=7, rounds=2)
    one, *others = [run(study, batch=size) for size in (1, 3, 7)]
    for other in others:
        assert one.table.equals(other.table)
        assert one.bids.equals(other.bids)


def test_another_seed_changes_designs_and_rounds():
    one, other = run(SMALL).table, run(Study(learner=QUICK, samples=7, rounds=2, seed=1)).table
    assert not np.any(one["w1"].to_numpy() == other["w1"].to_numpy())
    assert len(set(one["seed"]) | set(other["seed"])) == 28


def test_the_table_has_a_row_per_design_and_round():
    table = run(SMALL).table
    assert table.height == 14
    assert table.columns[:5] == ["design", "round", "w1", "w2", "w3"]
    assert table["design"].to_list() == [d for d in range(7) for _ in range(2)]
    np.testing.assert_allclose(table["w1"] + table["w2"] + table["w3"], 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 10**9}, r"^rounds must be at most 100,000: got 1,000,000,000; give fewer$"),
        ({"learner": "fictitious-plai"}, r"unknown learner 'fictitious-plai'"),
        ({"learner": FictitiousPlay}, r"^FictitiousPlay is a class: call it, as FictitiousPlay\(\)$"),
    ],
)
def test_a_study_that_cannot_be_run_is_told_what_to_give(options, message):
    with pytest.raises(AllpayError, match=message):
        Study(**options)


def test_designs_that_are_given_say_how_many_ranks_carry_weight():
    study = Study(DesignSpace("prizes", 4), given=(0.8, (0.4, 0.3, 0.2, 0.1)))
    assert study.space.dimension == 4
    assert Study(DesignSpace("prizes", 4), given=(0.8, (0.5, 0.3, 0.2))).space == DesignSpace("prizes", 4)
