"""What is kept of the bids that were learned, against the strategies themselves."""

import numpy as np
import polars as pl
import pytest

from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.values import Common, Private, Uniform, integers
from allpay.learners import EpsilonGreedy, FictitiousPlay, run_seeds
from allpay.study.bids import MOST_ROWS, SCHEMA, bids_of, most_values
from test_contests import mixtures

UNLIKE = [(Bidder(Private(Uniform(), 6)), 2), (Bidder(Common(0.7)), 1), (Bidder(Private(integers(1, 3))), 2)]
GAMES = {
    "groups": Game(Mechanism((0.7, 0.3, 0, 0, 0), (1,) * 5, reserve=0.1), UNLIKE, bid_levels=7),
    "alike": Game.from_weights("prizes", 0.8, values=Private(levels=5), bid_levels=9),
    "common": Game.from_weights("prizes", 0.8, values="common", bid_levels=9),
}


def outcome_of_profiles(game, profiles):
    """An outcome of which only games and strategies are looked at, one design."""
    found = FictitiousPlay(iterations=1, auctions=1).learn([game], run_seeds(0, 1, len(profiles)))
    object.__setattr__(found, "strategy", profiles[None])
    return found


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("each", [False, True])
def test_mean_and_quantiles_are_those_of_sampled_bids(name, each):
    game = GAMES[name]
    profiles = np.stack([mixtures(game, seed, each) for seed in range(2)])
    table = bids_of(outcome_of_profiles(game, profiles), first=5)
    assert table.schema == SCHEMA
    assert table["design"].unique().to_list() == [5]
    rng, which = np.random.default_rng(0), np.repeat(np.arange(len(game.groups)), game.counts)
    for (r, group, value), rows in table.group_by(["round", "group", "value"]):
        assert len(rows) == 1
        owners = np.flatnonzero(which == group - 1) if each else [group - 1]
        places = np.flatnonzero(game.value_grids[group - 1] == value)
        chances = np.mean([profiles[r][i, v] for i in owners for v in places], axis=0)
        drawn = game.bid_grid[np.searchsorted(np.cumsum(chances), rng.random(20_000))]
        row = rows.row(0, named=True)
        assert row["mean"] == pytest.approx(drawn.mean(), abs=5 * drawn.std() / np.sqrt(len(drawn)) + 1e-6)
        for q, column in ((0.1, "q10"), (0.5, "q50"), (0.9, "q90")):
            assert np.mean(drawn < row[column] - 1e-6) < q + 0.02
            assert np.mean(drawn <= row[column] + 1e-6) > q - 0.02
    kinds = {group: len(set(game.value_grids[group - 1])) for group in range(1, len(game.groups) + 1)}
    assert dict(table.filter(pl.col("round") == 0)["group"].value_counts().iter_rows()) == kinds


def test_of_many_values_some_are_kept_evenly():
    game = Game.from_weights("prizes", 0.8, values=Private(levels=1000), bid_levels=3)
    table = bids_of(outcome_of_profiles(game, mixtures(game, 0)[None]))
    assert len(table) == 64
    np.testing.assert_allclose(np.diff(table["value"]), 1000 / 64 / 1000, atol=1.1e-3)
    assert most_values(Private(), 500) == 64
    assert most_values(Private(), MOST_ROWS // 4) == 4
    assert most_values(tuple(UNLIKE), 10**9) == 1


def test_a_run_has_the_same_bids_alone_and_in_a_batch():
    learner = EpsilonGreedy(iterations=300, exploration=100, tail=50)
    games = [Game.from_weights("prizes", w, values=Private(levels=5), bid_levels=9) for w in (0.7, 0.9)]
    seeds = run_seeds(0, 2, 3)
    both = bids_of(learner.learn(games, seeds))
    for d in range(2):
        assert bids_of(learner.learn(games[d : d + 1], seeds[d : d + 1]), first=d).equals(
            both.filter(pl.col("design") == d)
        )
