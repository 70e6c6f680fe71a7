"""The best design along parameters: known optima, tables in every format, and what is refused."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import allpay
from allpay.cli import app
from allpay.cli.questions import TABLES, numbers_in
from allpay.contest.game import Setting
from allpay.contest.values import Common
from allpay.errors import AllpayError
from allpay.report.statics import statics_in_words
from allpay.statics import comparative_statics
from allpay.study import DesignSpace


def run(*arguments):
    return CliRunner().invoke(app, ["sweep", *map(str, arguments)])


def test_the_best_prizes_follow_the_number_of_bidders():
    """Values uniform, cost b²: the best total is √(n/3) from n = 4 on, and the first prize 4/n (Cauchy and Schwarz)."""
    found = comparative_statics({"bidders": [4, 6, 8]}, Setting(cost_power=2.0))
    table = found.table
    assert table["bidders"].to_list() == [4, 6, 8]
    assert table["value"].to_numpy() == pytest.approx(np.sqrt(np.array([4, 6, 8]) / 3), rel=1e-8)
    assert table["w1"].to_numpy() == pytest.approx([1, 4 / 6, 4 / 8], abs=2e-4)
    assert table["prizes"].to_list() == [1, 3, 5]
    assert table["w4"].to_list()[0] == 0.0
    assert f"w{found.ranks + 1}" not in table.columns


def test_two_parameters_make_a_table_of_both():
    found = comparative_statics({"cost_power": (1.0, 2.0), "bidders": (3, 5)})
    assert found.points == ((1.0, 3), (1.0, 5), (2.0, 3), (2.0, 5))
    assert found.table["value"].to_numpy() == pytest.approx([1 / 2, 2 / 3, 0.979796, np.sqrt(5 / 3)], abs=1e-6)
    assert found == comparative_statics({"cost_power": (1, 2), "bidders": [3, 5]})


def test_flat_points_and_points_without_a_formula_say_so():
    found = comparative_statics({"cost_power": (1.0, 2.0)}, Setting(Common()))
    assert found.table["flat"].to_list() == [True, False]
    assert found.table["w1"].to_list()[0] is None
    lucky = comparative_statics({"bidders": (3, 4)}, Setting(luck=allpay.Tullock(1)))
    assert lucky.best == (None, None)
    assert all("luck" in str(reason) or "theory" in str(reason) for reason in lucky.reasons)


def test_the_command_writes_every_kind_of_table(tmp_path):
    arguments = ("--bidders", "4:6", "--cost-power", 2)
    swept = comparative_statics({"bidders": range(4, 7)}, Setting(cost_power=2.0))
    for ending, read in ((".csv", pl.read_csv), (".parquet", pl.read_parquet)):
        path = tmp_path / f"table{ending}"
        TABLES[ending](swept, path)
        assert read(path)["value"].to_numpy() == pytest.approx(np.sqrt(np.array([4, 5, 6]) / 3), rel=1e-6)
    assert run(*arguments, "--out", tmp_path / "t.tex", "--plot", tmp_path / "t.png").exit_code == 0
    latex = (tmp_path / "t.tex").read_text()
    assert r"\toprule" in latex
    assert latex.count(r"\\") == 4
    assert (tmp_path / "t.png").stat().st_size > 10_000
    found = json.loads(run(*arguments, "--json", "--out", tmp_path / "t.json").stdout)
    assert found["over"] == {"bidders": [4, 5, 6]}
    assert found["question"]["setting"]["cost_power"] == 2
    assert json.loads((tmp_path / "t.json").read_text()) == found
    told = statics_in_words(swept)
    assert "Best prizes for the revenue by theory, by the number of bidders" in told
    assert "0.667" in told


def test_two_parameters_are_drawn(tmp_path):
    done = run("--bidders", "3,4", "--cost-power", "1:2:0.5", "--plot", tmp_path / "t.svg")
    assert done.exit_code == 0
    assert (tmp_path / "t.svg").exists()


def test_more_prizes_bring_more_up_to_the_best_number():
    """Values uniform, cost b², six bidders: three prizes of 2/3, 4/15 and 1/15 are best of any number (Cauchy and Schwarz); one
    prize brings what its equilibrium does."""
    found = comparative_statics({"most_prizes": range(1, 6)}, Setting(cost_power=2.0), DesignSpace(bidders=6))
    table = found.table
    assert table["most_prizes"].to_list() == [1, 2, 3, 4, 5]
    assert table["prizes"].to_list() == [1, 2, 3, 3, 3]
    alone = allpay.equilibrium(allpay.Game.from_weights("prizes", 1.0, 6, cost_power=2.0)).revenue
    assert table["value"][0] == pytest.approx(alone, rel=1e-9)
    assert np.all(np.diff(table["value"].to_numpy()) >= 0)
    assert table["value"].to_numpy()[2:] == pytest.approx(np.sqrt(2), rel=1e-8)
    assert table.row(2)[4:7] == pytest.approx([2 / 3, 4 / 15, 1 / 15], abs=1e-3)
    told = statics_in_words(found)
    assert "More than 3 prizes bring nothing more; the best with at most 2 loses less than 1%." in told


def test_the_most_prizes_that_were_tried_are_no_end():
    """Cost b², 12 bidders: nine prizes are best, so that of 1 to 6 the sixth still brings something."""
    found = comparative_statics({"most_prizes": range(1, 7)}, Setting(cost_power=2.0), DesignSpace("prizes", 12))
    told = statics_in_words(found)
    assert "The most that were tried, 6, bring most; the best with at most 5 loses less than 1% of that." in told
    assert "by the number of prizes allowed; " in told
    assert told.splitlines()[2].startswith("prizes allowed  revenue  prizes ")
    assert "nothing more" not in told


def test_the_number_of_prizes_varies_with_floors_and_beside_another_parameter(tmp_path):
    options = ("--prizes", "2:4", "--bidders", 5, "--cost-power", 2, "--at-least", "10%x2", "--json")
    floors = json.loads(run(*options, "--plot", tmp_path / "prizes.png").stdout)
    assert all(row["w1"] >= row["w2"] >= 0.1 - 1e-12 for row in floors["rows"])
    assert [row["prizes"] for row in floors["rows"]] == [2, 2, 2]
    both = json.loads(run("--prizes", "1,3", "--bidders", "3,5", "--json").stdout)
    assert [(row["bidders"], row["most_prizes"]) for row in both["rows"]] == [(3, 1), (3, 3), (5, 1), (5, 3)]
    equal = json.loads(run("--prizes", "2,3", "--bidders", 4, "--same", "1-2", "--json").stdout)
    assert equal["rows"][0]["w2"] == 0.5  # the only design, which has no other beside it


def test_the_best_design_says_how_many_prizes_it_pays():
    for options, words in (
        (("--bidders", "6", "--cost-power", "2"), "with 3 prizes;"),
        (("--bidders", "6"), "with one prize;"),
        (("--bidders", "6", "--cost-power", "2", "--rule", "payments"), "with one rank that pays;"),
    ):
        done = CliRunner().invoke(app, ["design", "--method", "theory", *options])
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one or two parameters vary: got 0; give a range, as --bidders 3:20"),
        (["--bidders", "3:5", "--cost-power", "1:2", "--reserve", "0:0.1:0.1"], "one or two parameters vary: got 3"),
        (["--bidders", "20:3"], "--bidders '20:3' falls from 20 to 3: write 3:20"),
        (["--cost-power", "3:1:0.5"], "--cost-power '3:1:0.5' falls from 3 to 1: write 1:3:0.5"),
        (["--prizes", "1:9", "--bidders", "5"], "--prizes 9 needs --bidders 9 or more: got 5"),
        (["--prizes", "1:3", "--at-least", "5%x2"], "at_least names 2 ranks, and 1 may carry weight"),
        (["--prizes", "1.5,3", "--bidders", "5"], "--prizes takes whole numbers"),
        (["--prizes", "0:3", "--bidders", "5"], "carry weight: got 0"),
        (["--bidders", "3:4:0.5"], "--bidders takes whole numbers"),
        (["--cost-power", "1:2:0"], "or a range as 1:3:0.25"),
        (["--cost-power", "1:1e9"], "or a range as 1:3:0.25"),
        (["--cost-power", "many"], "or a range as 1:3:0.25"),
        (["--cost-power", "-1:1"], "cost power must be above 0"),
        (["--bidders", "3:5", "--method", "surrogate"], "a sweep is by theory"),
        (["--bidders", "3:5", "--prizes", "4"], "--prizes 4 needs --bidders 4 or more: got 3"),
        (["--bidders", "3:5", "--out", "table.xls"], "a table is written as .csv, .parquet, .tex, .json"),
        (["--bidders", "3:5", "--objective", "glory"], "glory"),
    ],
)
def test_wrong_questions_get_one_line(arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_ranges_are_read_as_they_are_written():
    assert numbers_in("--bidders", "3:6", whole=True) == [3, 4, 5, 6]
    assert numbers_in("--cost-power", "1:3:0.5") == [1, 1.5, 2, 2.5, 3]
    assert numbers_in("--cost-power", "1:2:0.1")[3] == 1.3
    assert numbers_in("--cost-power", "1,2,2,4") == [1, 2, 4]
    for wrong in ({}, {"luck": [1, 2]}, {"bidders": "3:5"}, {"bidders": []}):
        with pytest.raises(AllpayError):
            comparative_statics(wrong)
    with pytest.raises(AllpayError, match="at most 1,000 designs"):
        comparative_statics({"bidders": range(3, 1500)}, space=DesignSpace())
