"""Outcomes: the verdict on a history, asymmetry, the stake; and the seeds of runs."""

import numpy as np
import pytest

from allpay.errors import AllpayError
from allpay.game import Common, Game, Private, Uniform
from allpay.learners import FictitiousPlay, run_seeds
from allpay.mechanism import Mechanism, all_pay
from allpay.outcome import Outcome, Verdict, stake, threshold


def outcome(games, strategy, exploitability, history, **more) -> Outcome:
    """An outcome with given facts; what these tests do not look at is zero."""
    exploitability = np.asarray(exploitability, float)
    zero = np.zeros(exploitability.shape)
    return Outcome(
        games=tuple(games),
        learner="none",
        strategy=strategy,
        revenue=zero,
        highest_bid=zero,
        realised_revenue=zero,
        realised_highest_bid=zero,
        exploitability=exploitability,
        payoff=zero,
        history=np.asarray(history, float),
        iterations=zero.astype(int),
        auctions=0,
        **more,
    )


def verdict(history, exploitability=None, g=None, **more) -> str:
    g = g or Game.from_weights("prizes", 1.0, 3, bid_levels=2)
    last = history[-1] if exploitability is None else exploitability
    strategy = np.full((1, 1, 1, len(g.value_grid), 2), 0.5)
    return outcome([g], strategy, [[last]], [[history]], **more).verdicts[0, 0]


FLAT, FALLING = np.full(32, 0.2), 1 / np.arange(2, 34)


@pytest.mark.parametrize(
    ("history", "exploitability", "expected"),
    [
        (FLAT, 0.2, Verdict.CIRCLING),
        (FALLING, 0.03, Verdict.STILL_LEARNING),
        (FALLING, 0.009, Verdict.CONVERGED),
        (FLAT, 0.01, Verdict.CONVERGED),  # the bound itself is within
        (0.2 + 0.1 * np.sin(np.arange(32)), 0.2, Verdict.CIRCLING),
        (np.linspace(0.1, 0.3, 32), 0.3, Verdict.CIRCLING),  # rising is not learning
        (1 / np.sqrt(np.arange(1, 33)), 0.17, Verdict.STILL_LEARNING),
        ([0.3], 0.3, Verdict.STILL_LEARNING),  # too short to have settled
        ([0.3, 0.2, 0.1, np.nan, np.nan], 0.009, Verdict.CONVERGED),
        ([np.nan] * 4, 0.2, Verdict.STILL_LEARNING),
    ],
)
def test_verdicts(history, exploitability, expected):
    assert verdict(history, exploitability) == expected


def test_what_never_happened_is_not_part_of_the_history():
    ended = np.concatenate([1 / np.arange(1, 13), np.full(20, np.nan)])
    assert verdict(ended, 0.08) == Verdict.STILL_LEARNING


def test_a_verdict_is_relative_to_the_stake():
    rich = Game(all_pay(3), Common(100.0), bid_levels=2)
    assert verdict(FLAT, 0.5, rich) == Verdict.CONVERGED
    assert verdict(FLAT, 1.5, rich) == Verdict.CIRCLING
    assert verdict(FLAT, 1.5, rich, tolerance=0.02) == Verdict.CONVERGED


def test_every_run_has_its_own_verdict():
    g = Game.from_weights("prizes", 1.0, 3, bid_levels=2)
    found = outcome(
        [g, g], np.full((2, 2, 1, 64, 2), 0.5), [[0.2, 0.03], [0.001, 0.2]], [[FLAT, FALLING], [FALLING, FLAT]]
    )
    assert found.verdicts.tolist() == [["circling", "still learning"], ["converged", "circling"]]
    assert found.converged.tolist() == [[False, False], [True, False]]


def test_every_verdict_says_what_it_means():
    sentences = {v.sentence for v in Verdict}
    assert len(sentences) == len(Verdict)
    assert all(s.endswith(".") for s in sentences)


def test_the_stake_is_the_utility_of_the_top_prize_at_the_highest_value():
    assert stake(Game.from_weights("prizes", 0.8, 3)) == 0.8
    assert stake(Game.from_weights("payments", 0.8, 3)) == 1.0
    assert stake(Game(Mechanism.from_weights("prizes", 0.8, 3), Private(Uniform(0, 5)))) == 4.0
    assert stake(Game(Mechanism.from_weights("prizes", 0.5, 3), Common(2.0), risk_aversion=2.0)) == pytest.approx(
        (1 - np.exp(-2)) / 2
    )


def test_bidders_who_play_alike_are_symmetric():
    g = Game.from_weights("prizes", 0.8, 3, values="common", bid_levels=3, max_bid=2.0)
    assert outcome([g], np.full((1, 1, 1, 1, 3), 1 / 3), [[0.0]], [[[0.0]]]).asymmetry == 0.0
    assert outcome([g], np.full((1, 1, 3, 1, 3), 1 / 3), [[0.0]], [[[0.0]]]).asymmetry == 0.0


def test_asymmetry_is_the_range_of_mean_bids_relative_to_the_top_bid():
    g = Game.from_weights("prizes", 0.8, 3, values="common", bid_levels=3, max_bid=2.0)
    strategy = np.array([[0, 0, 1], [0.5, 0.5, 0], [1, 0, 0.0]])[None, None, :, None, :]  # mean bids 2, ½, 0 of 2
    assert outcome([g], strategy, [[0.0]], [[[0.0]]]).asymmetry == pytest.approx(1.0)
    two = Game.from_weights("prizes", 0.8, 3, values="common", bid_levels=3, max_bid=4.0)
    both = outcome([g, two], np.repeat(strategy, 2, axis=0), [[0.0]] * 2, [[[0.0]]] * 2)
    np.testing.assert_allclose(both.asymmetry, [[1.0], [1.0]])


def test_seeds_are_distinct_across_seed_stream_design_and_round():
    seeds = [run_seeds(seed, 20, 10, stream) for seed in range(6) for stream in range(4)]
    assert len(np.unique(seeds)) == 6 * 4 * 20 * 10
    assert seeds[0].dtype == np.uint64


def test_a_seed_depends_on_nothing_but_its_own_indices():
    many = run_seeds(3, 20, 10, stream=1)
    np.testing.assert_array_equal(run_seeds(3, 5, 4, stream=1), many[:5, :4])
    np.testing.assert_array_equal(run_seeds(3, [7, 2], 10, stream=1), many[[7, 2]])
    assert run_seeds(3, 0, 10).shape == (0, 10)


def test_seeds_stay_what_they_are():
    """Stored studies name their seeds: these numbers may never change."""
    assert run_seeds(0, 1, 2).tolist() == [[4189226428916626942, 15298820501058499976]]


def test_a_negative_seed_is_refused():
    with pytest.raises(AllpayError, match="seed must be at least 0: got -1"):
        run_seeds(-1, 1, 1)


def test_bidders_who_learn_apart_are_told_from_those_who_learn_alike():
    game = Game.from_weights("prizes", 1.0, 2, values="common", bid_levels=3, max_bid=1.0)

    def bidding(*bids):
        return outcome([game], np.eye(3)[np.array(bids)][None, None, :, None, :], [[0.0]], [[[0.0]]])

    assert "near a symmetric profile" in bidding(1, 1).sentence
    assert "asymmetric profile" in bidding(0, 2).sentence
    assert "symmetric" not in bidding(1).sentence
    assert bidding(0, 2).asymmetry == pytest.approx(1.0)


def test_total_exploitability_is_the_sum_over_bidders():
    found = outcome([Game.from_weights("prizes", 1.0, 4)], np.ones((1, 1, 1, 64, 101)) / 101, [[0.25]], [[[0.25]]])
    np.testing.assert_allclose(found.total_exploitability, [[1.0]])


def test_many_bidders_must_come_closer():
    """A thousand bidders who each overbid by 1 % of the prize would pay ten times what there is to win."""
    few, many = (Game.from_weights("prizes", 1.0, n, bid_levels=3) for n in (3, 1000))
    assert threshold(few, 0.01) == pytest.approx(0.01)
    assert 1000 * threshold(many, 0.01) == pytest.approx(0.05)


def test_too_short_a_run_is_still_learning():
    found = outcome(
        [Game.from_weights("prizes", 1.0, 3, bid_levels=3)], np.ones((1, 1, 1, 64, 3)) / 3, [[0.5]], [[[0.5]]]
    )
    assert found.verdicts[0, 0] == Verdict.STILL_LEARNING


def test_a_wide_tolerance_makes_no_equilibrium():
    game = Game.from_weights("prizes", 1.0, 3, bid_levels=3)
    wide = outcome([game], np.ones((1, 1, 1, 64, 3)) / 3, [[0.3]], [[[0.3]]], tolerance=0.5)
    assert wide.converged.all()
    assert "too much for an equilibrium" in wide.sentence
    assert "read it as an equilibrium" not in wide.sentence


def test_the_outcome_of_one_design_is_that_of_learning_it_alone():
    games = [Game.from_weights("prizes", w, 3, values=Private(levels=4), bid_levels=6) for w in (0.6, 0.9)]
    seeds = run_seeds(0, 2, 3)
    bidders = FictitiousPlay(iterations=40, auctions=100)
    part, alone = bidders.learn(games, seeds).of(1), bidders.learn(games[1:], seeds[1:])
    for name, value in vars(alone).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(part, name), value, err_msg=name)
        else:
            assert getattr(part, name) == value, name
