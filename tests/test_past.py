"""Past contests: made up, written, read back, and whatever a stranger's file may hold."""

import numpy as np
import pytest

from allpay import AllpayError, Beta, Bidder, Common, Game, Mechanism, Private, Tullock, equilibrium
from allpay.contest.attendance import field
from allpay.estimate.generate import as_table, past_contests
from allpay.estimate.past import Contests, read_contests

FIVE = Mechanism((0.5, 0.3, 0.2, 0, 0), (1,) * 5)

MANY = Game(FIVE, Private(Beta(2, 3)), cost_power=2)

LONG = """contest,bidder,bid,rank,prize
a,x,5,1,100
a,y,3,2,0
b,x,2,2,0
b,z,4,1,60
"""


def written(folder, text, name="past.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def reads(tmp_path):
    return lambda text, name="past.csv", **options: read_contests(written(tmp_path, text, name), **options)


# Contests made up -----------------------------------------------------------------------------------------------------


def test_bids_made_up_are_those_of_the_equilibrium():
    found, exact = past_contests(MANY, 20_000, seed=3), equilibrium(MANY)
    assert found.contests == 20_000
    assert found.tables == (((0.5, 0.3, 0.2), 20_000),)
    bids = np.sort(found.bid.reshape(-1, 5))
    assert bids.sum(axis=1).mean() == pytest.approx(exact.revenue, rel=0.01)
    assert bids[:, -1].mean() == pytest.approx(exact.highest_bid, rel=0.01)
    assert np.mean(found.value) == pytest.approx(0.4, abs=0.005)
    order = np.argsort(found.value)
    assert np.all(np.diff(found.bid[order]) >= 0)  # bids rise with values
    assert np.array_equal(np.argsort(-found.bid.reshape(-1, 5)), np.argsort(found.rank.reshape(-1, 5)))


@pytest.mark.parametrize(
    "game",
    [
        MANY,
        Game(FIVE, Private(Beta(2, 3)), attendance=0.7),
        Game(FIVE, Private(Beta(2, 3)), attendance=field("2:4")),
        Game(Mechanism((1, 0), (1, 1)), [(Bidder(Private(Beta(2, 2))), 1), (Bidder(Private(Beta(2, 5))), 1)]),
        Game(Mechanism((0.7, 0.3, 0), (1,) * 3, success=Tullock(1)), Common()),
        Game(Mechanism((0.7, 0.3, 0), (1,) * 3, reserve=0.1, fee=0.01), Private()),
        Game(Mechanism((0.7, 0.3, 0), (1,) * 3), Common(2.0)),
    ],
    ids=["plain", "attendance", "field", "groups", "luck", "reserve", "common"],
)
def test_what_is_written_is_read_back_equal(game, tmp_path):
    made = past_contests(game, 60, seed=1)
    assert made == past_contests(game, 60, seed=1)
    assert made != past_contests(game, 60, seed=2)
    for suffix in ("csv", "parquet"):
        path = tmp_path / f"past.{suffix}"
        table = as_table(made, values=True)
        table.write_csv(path) if suffix == "csv" else table.write_parquet(path)
        found, told = read_contests(path, luck=game.mechanism.success.lucky, estimable=False)
        assert found == made
        assert (told.contests, told.absent, told.at_cap) == (60, int(np.isnan(made.bid).sum()), None)


def test_values_are_told_only_on_demand():
    assert as_table(past_contests(MANY, 2, seed=1)).columns == ["contest", "bidder", "bid", "rank", "prize"]


def test_contests_of_several_games_come_in_turn():
    games = [Game(Mechanism((0.5, 0.3, 0.2) + (0,) * (n - 3), (1,) * n)) for n in (3, 4, 5)]
    found = past_contests(games, 7, seed=1)
    assert found.registered.tolist() == [3, 4, 5, 3, 4, 5, 3]
    assert np.all(np.diff(found.contest) >= 0)
    alone = past_contests(games[0], 3, seed=1)
    assert np.array_equal(found.bid[found.contest % 3 == 0], alone.bid)


def test_prizes_are_told_in_money():
    found = past_contests(MANY, 3, seed=1, prizes=(1000, 600, 400))
    assert sorted(as_table(found)["prize"][:5]) == [0, 0, 400, 600, 1000]
    assert np.array_equal(found.bid, past_contests(MANY, 3, seed=1).bid)


def test_bids_can_be_drawn_from_learned_strategies():
    game = Game(Mechanism((1, 0, 0), (1,) * 3), [(Bidder(Private()), 1), (Bidder(Private(), cost=2), 2)], bid_levels=21)
    with pytest.raises(AllpayError, match=r"no closed form to draw bids from.*give a strategy"):
        past_contests(game, 10, seed=1)
    strategy = np.random.default_rng(1).dirichlet(np.ones(21), (2, game.value_levels))
    found = past_contests(game, 4_000, seed=1, strategy=strategy)
    assert np.isin(found.bid, game.bid_grid).all()
    own = found.group == 0
    expected = strategy.mean(axis=1) @ game.bid_grid
    assert found.bid[own].mean() == pytest.approx(expected[0], rel=0.05)
    assert found.bid[~own].mean() == pytest.approx(expected[1], rel=0.05)


# Good files -----------------------------------------------------------------------------------------------------------


def test_a_long_table(reads):
    found, told = reads(LONG)
    assert found == Contests(
        contest=np.array([0, 0, 1, 1]),
        bid=np.array([5.0, 3, 2, 4]),
        prizes=np.array([[100.0], [60]]),
        rank=np.array([1, 2, 2, 1]),
    )
    assert (told.rows, told.people, told.tables, told.separator, told.wide) == (4, 3, 2, ",", False)


def test_a_wide_table(reads):
    found, told = reads("bid_1,bid_2,bid_3,prize_1,prize_2,round\n5,3,,70,30,9\n1,2,4,70,30,9\n")
    assert np.array_equal(found.bid, [5, 3, np.nan, 1, 2, 4], equal_nan=True)
    assert found.prizes.tolist() == [[70, 30], [70, 30]]
    assert found.registered.tolist() == [3, 3]
    assert found.present.tolist() == [2, 3]
    assert told.wide
    assert told.unused == ("round",)


@pytest.mark.parametrize(
    ("change", "separator", "decimal"),
    [
        (lambda text: text.replace(",", ";").replace("5;1", "5,25;1"), ";", ","),
        (lambda text: text.replace(",", "\t").replace("5\t1", "5,25\t1"), "\t", ","),
        (lambda text: text.replace(",", "|").replace("5|1", "5.25|1"), "|", "."),
        (lambda text: "\ufeff" + text.replace(",5,", ",5.25,"), ",", "."),
        (lambda text: text.replace(",5,", ',"5.25",').replace("\n", "\r\n"), ",", "."),
        (lambda text: text.replace(",5,", ", 5.25 ,") + "\n\n,,,,\n", ",", "."),
        (lambda text: "sep=;\n" + text.replace(",", ";").replace("5;1", "5.25;1"), ";", "."),
        (lambda text: text.replace(",5,", ",5.25,").replace("contest,bidder", "Auction ID,Player").rstrip(), ",", "."),
        (lambda text: text.replace(",5,", ",525e-2,").replace("\na,", '\n"a ""1"", b\n2",'), ",", "."),
    ],
    ids=["semicolons", "tabs", "bars", "bom", "quotes", "spaces", "excel", "names", "quoted names"],
)
def test_tables_of_other_programs(reads, change, separator, decimal):
    found, told = reads(change(LONG))
    assert found.bid.tolist() == [5.25, 3, 2, 4]
    assert found.contest.tolist() == [0, 0, 1, 1]
    assert told.separator == separator
    assert told.decimal in (decimal, "")
    assert told.rows == 4


def test_rows_of_a_contest_need_not_be_together(reads):
    head, one, two, three, four = LONG.splitlines()
    found, _ = reads("\n".join([head, one, three, two, four]))
    assert found == reads(LONG)[0]


def test_columns_can_be_named(reads):
    text = "c,w,x,y\n1,me,3,9\n1,you,4,0\n2,me,3,9\n2,you,4,0\n"
    found, told = reads(text, contest="c", bid="x", bidder="w", prizes=(5, 2))
    assert found.bid.tolist() == [3, 4, 3, 4]
    assert found.prizes.tolist() == [[5, 2], [5, 2]]
    assert told.unused == ("y",)
    assert reads(text, contest="c", bid="x", prizes="60% 40%")[0].prizes.tolist() == [[0.6, 0.4], [0.6, 0.4]]
    wide, _ = reads("one,two\n1,2\n3,4\n", bid=["one", "two"], prizes="100")
    assert wide.bid.tolist() == [1, 2, 3, 4]


def test_groups_and_values(reads):
    text = "contest,bid,group,value,prize\n1,3,pro,9,1\n1,1,amateur,2,0\n2,3,amateur,,1\n2,0,pro,1,0\n"
    found, told = reads(text)
    assert found.groups == ("pro", "amateur")
    assert found.group.tolist() == [0, 1, 1, 0]
    assert np.array_equal(found.value, [9, 2, np.nan, 1], equal_nan=True)
    assert told.zeros == 1
