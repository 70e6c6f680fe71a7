"""Past contests: made up, written, read back, and whatever a stranger's file may hold."""

import json
import os
import time
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from allpay import AllpayError, Beta, Bidder, Common, Game, Mechanism, Private, Tullock, equilibrium
from allpay.cli import app
from allpay.contest.attendance import field
from allpay.estimate import tables
from allpay.estimate.generate import as_table, past_contests
from allpay.estimate.past import Contests, read_contests
from allpay.report.past import read_in_words

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
    long = "contest,bid,first,second\n1,2,9,3\n1,1,9,3\n2,2,9,3\n2,1,9,3\n"
    assert reads(long, prize=["first", "second"])[0].prizes.tolist() == [[9, 3], [9, 3]]
    assert reads(long.replace("first", "prize_1"))[0].prizes.tolist() == [[9], [9]]
    assert reads(LONG, prize=["prize"]) == reads(LONG)


def test_groups_and_values(reads):
    text = "contest,bid,group,value,prize\n1,3,pro,9,1\n1,1,amateur,2,0\n2,3,amateur,,1\n2,0,pro,1,0\n"
    found, told = reads(text)
    assert found.groups == ("pro", "amateur")
    assert found.group.tolist() == [0, 1, 1, 0]
    assert np.array_equal(found.value, [9, 2, np.nan, 1], equal_nan=True)
    assert told.zeros == 1


def test_a_table_of_two_kinds_of_cells_in_parquet(tmp_path):
    table = pl.DataFrame(
        {
            "race": [date(2026, 1, 1)] * 2 + [date(2026, 1, 2)] * 2,
            "score": [3, 1, None, 2],
            "won": [1.5, 0.0, None, 1.0],
            "kind": pl.Series(["a", "b", "a", "b"], dtype=pl.Categorical),
        }
    )
    table.write_parquet(tmp_path / "past.parquet")
    found, told = read_contests(tmp_path / "past.parquet")
    assert np.array_equal(found.bid, [3, 1, np.nan, 2], equal_nan=True)
    assert found.prizes.tolist() == [[1.5], [1]]
    assert found.groups == ("a", "b")
    assert told.separator == ""


def test_contests_of_one_bidder_are_left_out(reads):
    found, told = reads(LONG + "c,x,9,1,7\n")
    assert (found, told.alone, told.rows) == (reads(LONG)[0], 1, 5)


def test_a_luckier_bid_may_win_where_luck_is_said_to_decide(reads):
    text = LONG.replace("5,1,100", "5,2,0").replace("3,2,0", "3,1,100")
    with pytest.raises(AllpayError, match="line 2, column rank: the bid 5 is behind the bid 3 of line 3"):
        reads(text)
    assert reads(text, luck=True)[0].rank.tolist() == [2, 1, 2, 1]


def test_ties_and_ranks_that_are_not_told(reads):
    text = "contest,bid,rank,prize\n1,4,1,9\n1,4,2,5\n1,0,,0\n2,4,1,9\n2,4,1,5\n2,,3,0\n"
    found, told = reads(text, max_bid=4)
    assert found.rank.tolist() == [1, 2, 0, 1, 1, 0]
    assert (told.ties, told.zeros, told.at_cap, told.unranked, told.absent, told.all_won) == (4, 1, 4, 1, 1, 1)


def test_what_was_read_is_said_in_words(reads):
    found, told = reads(LONG + "c,x,9,1,7\n")
    text = read_in_words(found, told)
    assert "2 contests with 2 bidders each (4 in all, of 3 different names) were read from" in text
    assert "what each bidder won from “prize”" in text
    assert "There are 2 tables of prizes" in text
    assert "1 contest with one bidder each left out" in text
    text = read_in_words(*reads("Race;bid_1;bid_2;prize_1;a\n1;1,5;;9;\n2;0;0;9;\n"))
    assert "semicolons, with decimal commas" in text
    assert "the contest from “Race”" in text
    assert "Not used: “a”" in text
    assert "All contests have the same prizes: 9." in text
    assert "empty or n/a, 1 in all, a bidder is taken as registered and absent" in text
    assert "Bids of 0: 2" in text


# Bad files ------------------------------------------------------------------------------------------------------------


def swapped(one, other):
    return LONG.replace(one, other)


SEMICOLONS = LONG.replace(",", ";")

PLAIN = "contest,bid,prize\n"

BAD = {
    # the table
    "empty": ("", "is empty: give a table whose first line names"),
    "blank": ("\n \n", "the first line must name the columns"),
    "header only": ("contest,bid,prize\n", "has no rows below the names"),
    "no header": ("1,2,3\n4,5,6\n", "the first line must name the columns.*got 1, 2, 3"),
    "UTF-16": (LONG.encode("utf-16"), "not text in UTF-8.*save it as CSV in UTF-8"),
    "Latin-1": (swapped("x,2", "é,2").encode("latin-1"), "line 4: byte 0xe9 is not UTF-8.*save it"),
    "old lines": (LONG.replace("\n", "\r"), "ends its lines with CR alone"),
    "spreadsheet": (b"PK\x03\x04" + bytes(range(1, 99)), "is a spreadsheet or an archive"),
    "Parquet": (b"PAR1" + b"abcdefgh" * 9, "let its name end in .parquet"),
    "byte 0": (LONG.replace("z,4", "z,\0") * 40, "byte 0|UTF-8"),
    "short row": (swapped("y,3,2,0", "y,3"), "line 3: 3 cells where the header has 5: fill up"),
    "long row": (swapped("y,3,2,0", "y,3,2,0,9"), "line 3: 6 cells where the header has 5: put a cell"),
    "open quote": (swapped("a,y", 'a,"y'), "line 3: a quote is opened or closed alone"),
    "quote within": (swapped("a,y", 'a,"y"y'), "line 3: a quote within a cell"),
    "stray quote": (swapped("a,x", 'a,5"x') + 'c,"u",1,1,1\n' * 99, "line 2: a quote within a cell"),
    "a million columns": ("a," * 1_000_000 + "a\n", "has 1,000,001 columns, more than the 10,000"),
    # columns
    "no bids": (
        swapped("bid,", "amount,"),
        r"no column of bids \(bid, score, effort or points\): it has contest, bidder, a",
    ),
    "other separator": (
        LONG.replace(",", "^"),
        "it has contest.bidder.*separate cells by commas, semicolons, tabs or bars",
    ),
    "no contests": (swapped("contest,", "x,"), "no column of contests"),
    "no prizes": (
        swapped(",prize", ",x"),
        "no column of prizes.*--prize, or give one table for all contests with --prizes",
    ),
    "two bids": (swapped("rank", "bid"), "has two columns 'bid'"),
    "two kinds of bids": ("contest,score,effort,prize\n", "the bid may be 'score' or 'effort': say which"),
    "a gap": ("bid_1,bid_3,prize\n1,2,3\n", "numbered from 1 on.*got 'bid_3' in place 2"),
    "too few values": (
        "bid_1,bid_2,bid_3,value_1,value_2,prize\n1,2,3,1,2,1\n",
        "3 columns of bids and 2 for the value",
    ),
    # numbers
    "text": (swapped("y,3", "y,three"), "line 3, column bid: 'three' is no number"),
    "negative": (swapped("y,3", "y,-3"), "line 3, column bid: -3 is below 0"),
    "negative prize": (swapped(",60", ",-60"), "line 5, column prize: -60 is below 0"),
    "infinite": (swapped("y,3", "y,-inf"), "line 3, column bid: '-inf' must be finite"),
    "too large": (swapped("y,3", "y,1e101"), "line 3, column bid: 1e[+]101 is above 1e[+]100"),
    "overflows": (swapped("y,3", "y,1e999"), "line 3, column bid: '1e999' must be finite"),
    "thousands": (
        swapped("a,x,5,1,100", 'a,x,5,1,"1,000"'),
        "line 2, column prize: '1,000' is no number.*thousands, as 7500",
    ),
    "spaced thousands": (swapped(",100", ",1 000"), "line 2, column prize: '1 000' is no number.*thousands"),
    "both marks": (SEMICOLONS.replace(";100", ";1.000,50"), "line 2, column prize: '1.000,50' is no number.*thousands"),
    "commas in two ways": (SEMICOLONS.replace(";100", ";1,000"), "line 2, column prize: 1,000 can be read in two ways"),
    "points in two ways": (SEMICOLONS.replace(";100", ";1.000"), "line 2, column prize: 1.000 can be read in two ways"),
    "mixed marks": (
        SEMICOLONS.replace("x;5", "x;5,5").replace("y;3", "y;3.5"),
        "'5,5' has a decimal comma, and others a point",
    ),
    "money": (swapped(",100", ",$100"), "line 2, column prize: '[$]100' is no number.*without a unit"),
    "a comma": (swapped("x,5,", 'x,"5,5",'), "line 2, column bid: '5,5' is no number: write decimals with a point"),
    "a part of a rank": (swapped("y,3,2", "y,3,1.5"), "line 3, column rank: a rank is a whole number.*1.5"),
    "rank 0": (swapped("y,3,2", "y,3,0"), "line 3, column rank: a rank is a whole number.*got 0"),
    # contests
    "no name": (swapped("\nb,x", "\n,x"), "line 4, column contest: nothing stands here"),
    "one contest": ("".join(LONG.splitlines(True)[:3]), "has one contest, and an estimate needs at least 2"),
    "one bidder each": ("contest,bid,prize\na,1,1\nb,2,1\n", "has one bidder in each contest"),
    "alike": (PLAIN + "a,1,1\na,1,0\nb,1,1\nb,1,0\n", "has the bid 1 in all 4 rows"),
    "nobody": ("contest,bid,prize_1\na,,1\na,,1\nb,,1\nb,,1\n", "has no bid: nobody handed in"),
    "duplicate": (swapped("a,y", "a,x"), "line 3, column bidder: the same bidder as on line 2"),
    "duplicate in a row": (
        "bid_1,bid_2,bidder_1,bidder_2,prize\n1,2,a,b,9\n1,2,a,a,9\n",
        "line 3, column bidder_2: the same bidder as on line 3",
    ),
    "a row again": (
        "contest,bid_1,bid_2,prize\na,1,2,1\nb,1,2,1\na,2,1,1\n",
        "line 4, column contest: the contest of line 2",
    ),
    "many groups": (
        "contest,bid,group,prize\n" + "".join(f"1,{k},g{k},{k}\n" for k in range(101)),
        "column group: more than 100 groups",
    ),
    # ranks
    "ranks against bids": (
        swapped("5,1,100", "2,1,100"),
        "line 3, column rank: the bid 3 is behind the bid 2 of line 2",
    ),
    "ranks twice": (
        swapped("3,2", "3,1"),
        "line 3, column rank: .*the same rank as|line 2, column rank: .*the same rank as",
    ),
    "rank too low": (swapped("3,2", "3,7"), "line 3, column rank: rank 7 in a contest of 2 bidders"),
    "rank without a bid": (swapped("5,1", ",1"), "line 2, column rank: rank 1 without a bid"),
    "unranked above": (
        swapped("5,1", "5,").replace("3,2", "3,1"),
        "line 2, column rank: the bid 5 is behind the bid 3",
    ),
    "ranks in a row": (
        "bid_1,bid_2,rank_1,rank_2,prize\n1,2,2,1,9\n1,2,1,2,9\n",
        "line 3, column rank_2: the bid 2 is behind",
    ),
    # prizes
    "rise": (swapped("3,2,0", "3,2,200"), "line 3, column prize: rank 2 won 200, more than the 100 of rank 1"),
    "against bids": (PLAIN + "a,1,9\na,2,0\nb,1,0\nb,2,9\n", "line 3, column prize: the bid 2 is behind the bid 1"),
    "nothing": (swapped(",60", ",0"), "line 4, column prize: nobody of this contest wins"),
    "won without a bid": (swapped("x,5,1", "x,,"), "line 2, column bid: a prize was won without a bid"),
    "the same for all": (PLAIN + "a,1,9\na,2,9\nb,1,9\nb,2,9\n", "line 2, column prize: all of a contest win the same"),
    "announced rise": (
        "bid_1,bid_2,prize_1,prize_2\n1,2,3,4\n",
        "line 2, column prize_2: rank 2 wins 4, more than the 3",
    ),
    "announced nothing": ("bid_1,bid_2,prize_1\n1,2,3\n1,2,\n", "line 3, column prize_1: all prizes are 0"),
    "announced two ways": (
        "contest,bid,prize_1\na,1,5\na,2,6\nb,1,5\nb,2,5\n",
        "line 3, column prize_1: other prizes than on line 2",
    ),
    "too many": (
        "bid_1,bid_2,prize_1,prize_2,prize_3\n1,2,3,2,1\n",
        "line 2, column prize_1: 3 prizes in a contest of 2",
    ),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_a_bad_table_is_refused_in_one_line(reads, text, said):
    with pytest.raises(AllpayError, match=said) as error:
        reads(text)
    assert len(str(error.value)) <= 300
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bid": "bud"}, "has no column 'bud' for the bid: it has contest, bidder, bid, rank, prize"),
        ({"contest": "contests"}, r"no column 'contests'.*did you mean 'contest'\?"),
        ({"bid": ["bid", "rank"]}, "column 'rank' is taken for two things"),
        ({"prizes": (1, 2)}, "prizes must not rise"),
        ({"prizes": (0, 0)}, "all prizes are 0"),
        ({"prizes": (1, -1)}, "a prize must be at least 0"),
        ({"prizes": (3, 2, 1)}, "line 2: 3 prizes in a contest of 2 bidders"),
        ({"prizes": "one"}, "cannot read the prize"),
        ({"prizes": (1,), "prize": "prize"}, "given as a table and by a column"),
        ({"max_bid": 3.5}, r"line 2, column bid: the bid 5 \(and 1 more\) is above the cap of 3.5"),
        ({"max_bid": 0}, "max bid must be above 0"),
        ({"value": "rank", "rank": None, "overbidding": False}, "column 'rank' is taken for two things"),
    ],
)
def test_bad_options_are_refused_in_one_line(reads, options, said):
    with pytest.raises(AllpayError, match=said):
        reads(LONG, **options)


def test_values_below_bids_are_refused_under_a_ban(reads):
    text = "contest,bid,value,prize\na,5,4,1\na,1,4,0\nb,5,5,1\nb,3,,0\n"
    assert reads(text)[0].contests == 2
    with pytest.raises(AllpayError, match="line 2, column bid: the bid 5 is above the bidder's value"):
        reads(text, overbidding=False)


def test_what_is_no_plain_file_is_refused(tmp_path, reads):
    reads(LONG)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.csv").symlink_to(tmp_path / "past.csv")
    for path, said in [
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "it is a pipe"),
        (tmp_path / "link.csv", "it is a link"),
        ("/dev/zero", "it is a device"),
        (tmp_path / "none.csv", "cannot read .*No such file"),
    ]:
        with pytest.raises(AllpayError, match=said):
            read_contests(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "past.csv").open("wb") as file:
        file.truncate(2**30)  # a hole: it takes no room
    with pytest.raises(AllpayError, match="has 1,073,741,824 bytes, more than the 1,000,000,000 that are read"):
        read_contests(tmp_path / "past.csv")


@pytest.mark.parametrize("block", [40, 64, 97])
def test_a_table_is_the_same_in_whatever_parts_it_is_read(reads, monkeypatch, block):
    text = LONG.replace("a,", '"a\nb, ""c""",').replace("\nb,", "\n\nb,")
    whole = reads(text)
    bad = text.replace("z,4", "z,four")
    monkeypatch.setattr(tables, "BLOCK", block)
    assert reads(text) == whole
    with pytest.raises(AllpayError, match="line 11, column bid: 'four' is no number"):
        reads(bad)
    monkeypatch.setattr(tables, "MOST_ROWS", 3)
    with pytest.raises(AllpayError, match="has more than the 3 rows that are read"):
        reads(text)


def test_a_hundred_thousand_rows_are_read_at_once(tmp_path):
    as_table(past_contests(Game(FIVE), 20_000, seed=1)).write_csv(tmp_path / "past.csv")
    start = time.process_time()
    _, told = read_contests(tmp_path / "past.csv")
    assert told.bidders == 100_000
    assert time.process_time() - start < 3  # of all threads; half a second where nothing else runs


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + b"a" * 100 + b"PAR1", bytes(range(256)) * 9])
def test_what_only_says_that_it_is_parquet_is_refused(reads, content):
    with pytest.raises(AllpayError, match="cannot be read as Parquet"):
        reads(content, "past.parquet")


CELLS = st.sampled_from(
    ["", "0", "1", "2.5", "3", "1e2", "-1", "x", "NA", "inf", '"4"', " 5 ", '"1,5"', '"', "é", "7;5"]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.sampled_from(
            ["contest", "bidder", "bid", "rank", "prize", "value", "group", "bid_1", "bid_2", "prize_1", "x"]
        ),
        min_size=1,
        max_size=6,
    ),
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=8),
    separator=st.sampled_from(",;\t|"),
    options=st.fixed_dictionaries(
        {}, optional={"prizes": st.just((2, 1)), "luck": st.just(True), "max_bid": st.just(2.5)}
    ),
)
def test_any_table_is_read_or_refused_in_one_line(tmp_path, names, rows, separator, options):
    text = "\n".join(separator.join(row) for row in [names, *(row[: len(names)] for row in rows)])
    path = written(tmp_path, text)
    try:
        found, told = read_contests(path, estimable=False, **options)
    except AllpayError as error:
        fine = len(str(error)) <= 300 and "past.csv" in str(error)
        assert fine, str(error)  # noqa: PT017
        return
    assert told.bidders == len(found.bid) == len(found.contest)
    assert np.all(np.diff(found.contest) >= 0)
    assert np.all(found.registered >= 2)
    assert not np.any(found.bid < 0)
    assert np.all(np.diff(found.prizes) <= 0)
    assert np.all(found.prizes[:, 0] > 0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(2, 5), min_size=1, max_size=5),
    random=st.randoms(use_true_random=False),
    separator=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    quoted=st.booleans(),
    shuffled=st.booleans(),
)
def test_a_good_table_is_read_right(tmp_path, sizes, random, separator, comma, quoted, shuffled):
    """Against plain Python: what was drawn is what is read."""
    rows, expected = [], {}
    for name, size in enumerate(sizes):
        bids = sorted((round(random.uniform(0, 9), 2) for _ in range(size)), reverse=True)
        absent = random.randrange(size)  # so many of the lowest
        for k, bid in enumerate(bids):
            there = k < size - absent
            rows.append((f"c{name}", f"b{k}", f"{bid:.2f}" if there else "", str(10 - k if there and k < 2 else 0)))
            expected[f"c{name}", k] = bid if there else None
    if shuffled:
        random.shuffle(rows)
    if comma and separator != ",":
        rows = [(a, b, c.replace(".", ","), d) for a, b, c, d in rows]
    lines = [("Auction ID", "player", "bid", "prize"), *rows]
    cell = (lambda text: f'"{text}"') if quoted else str
    path = written(tmp_path, "\n".join(separator.join(map(cell, line)) for line in lines))
    found, told = read_contests(path, estimable=False)
    names = list(dict.fromkeys(row[0] for row in rows))
    for k, name in enumerate(names):
        bids = [bid for (of, _), bid in expected.items() if of == name]
        read = found.bid[found.contest == k]
        assert sorted(x for x in read if not np.isnan(x)) == sorted(bid for bid in bids if bid is not None)
        assert len(read) == len(bids)
        present = sum(bid is not None for bid in bids)
        assert np.trim_zeros(found.prizes[k], "b").tolist() == [10, 9][:present]
    assert told.people == max(sizes)


# From the command line ------------------------------------------------------------------------------------------------


def made(*options):
    return CliRunner().invoke(app, ["simulate", "--contests", "40", *options])


def test_contests_are_made_up_from_the_command_line(tmp_path):
    options = ["--weights", "1000,600,400", "--bidders", "5", "--distribution", "beta(2,3)", "--cost-power", "2"]
    done = made(*options, "--out", str(tmp_path / "past.csv"))
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "wrote 40 contests, 200 rows" in done.stderr
    assert "drawn from the equilibrium, on continuous bids" in done.stderr
    found, _ = read_contests(tmp_path / "past.csv")
    assert found.tables == (((1000, 600, 400), 40),)
    expected = past_contests(MANY, 40, 0)
    assert np.array_equal(found.bid, expected.bid)
    assert made(*options).stdout == (tmp_path / "past.csv").read_text()
    assert made(*options, "--seed", "1").stdout != made(*options).stdout


def test_bids_are_learned_where_there_is_no_formula_or_a_learner_is_named(tmp_path):
    options = ["--weights", "1", "--bidders", "2", "--bid-levels", "5", "--value-levels", "4", "--iterations", "50"]
    done = made(*options, "--json", "--with-values", "--out", str(tmp_path / "past.tsv"))
    assert json.loads(done.stdout)["bids"] == "what fictitious-play learned, on its grid"
    found, told = read_contests(tmp_path / "past.tsv")
    assert told.separator == "\t"
    assert set(found.value) <= {0.125, 0.375, 0.625, 0.875}
    assert set(found.bid) <= {0, 0.25, 0.5, 0.75, 1}
    lucky = ["--weights", "1", "--bidders", "2", "--luck", "normal(0.2)", "--bid-levels", "5", "--value-levels", "4"]
    done = made(*lucky)
    assert done.exit_code == 0
    assert "no closed form: with luck there is a formula only where all know" in done.stderr


def test_numbers_of_bidders_that_they_know_come_in_turn(tmp_path):
    made("--weights", "0.6,0.4", "--bidders", "2,3,5", "--out", str(tmp_path / "past.parquet"))
    found, _ = read_contests(tmp_path / "past.parquet")
    assert found.registered[:6].tolist() == [2, 3, 5, 2, 3, 5]
    assert not np.isnan(found.bid).any()
    made("--weights", "0.6,0.4", "--bidders", "2:5", "--out", str(tmp_path / "past.parquet"))
    found, _ = read_contests(tmp_path / "past.parquet")
    assert set(found.registered) == {5}
    assert set(found.present) == {2, 3, 4, 5}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rounds", "3"], "--rounds has no effect on contests that are made up"),
        (["--json"], "name a file"),
        (["--contests", "0"], "contests must be at least 1: got 0"),
        (["--contests", "99999999"], "must be at most 10,000,000"),
        (["--bid-levels", "9"], "--bid-levels has no effect on bids that theory gives"),
        (["--out", "."], "is a folder: name a file"),
        (["--learner", "dqn", "--out", "none/past.csv"], "cannot write none/past.csv: there is no folder none"),
        (["--bidders", "1,2"], "at least 2 bidders: got 1"),
    ],
)
def test_options_that_do_not_fit_contests_are_refused(options, said):
    done = made("--weights", "0.6,0.4", *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_values_need_contests():
    done = CliRunner().invoke(app, ["simulate", "--weights", "0.8", "--with-values"])
    assert "--with-values has no effect without --contests" in done.stderr


def test_a_parquet_file_with_too_much_is_refused_by_its_headers(tmp_path, monkeypatch):
    pl.DataFrame({"contest": [1, 1, 2, 2], "bid": [1, 2, 3, 4], "won": [0, 1, 0, 1]}).write_parquet(
        tmp_path / "past.parquet"
    )
    assert read_contests(tmp_path / "past.parquet")[1].contests == 2
    monkeypatch.setattr(pl, "read_parquet", None)
    monkeypatch.setattr(tables, "MOST_ROWS", 3)
    with pytest.raises(AllpayError, match="has 4 rows and 3 columns, more than the 3 or 10,000 that are read"):
        read_contests(tmp_path / "past.parquet")
    monkeypatch.setattr(tables, "MOST_ROWS", 4)
    monkeypatch.setenv("ALLPAY_MEMORY", "1e-8")
    with pytest.raises(AllpayError, match=r"unpacking .* would take .* GB of memory"):
        read_contests(tmp_path / "past.parquet")
