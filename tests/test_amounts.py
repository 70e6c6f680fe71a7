"""Prizes as people write them: every way to write a table gives the same weights, and what could be two tables is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.amounts import amounts, read_amounts, weights_in
from allpay.contest.mechanism import Mechanism
from allpay.errors import AllpayError
from allpay.study import DesignSpace, Study
from allpay.study.file import read_study


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("7500 5000 2500 1000x5", (0.375, 0.25, 0.125, *[0.05] * 5)),
        ("7500,5000,2500,1000x5", (0.375, 0.25, 0.125, *[0.05] * 5)),
        ("7500, 5000; 2500\t1000×5", (0.375, 0.25, 0.125, *[0.05] * 5)),
        ("$7,500 $5,000 $2,500", (1 / 2, 1 / 3, 1 / 6)),
        ("$7,500,$5,000,$2,500", (1 / 2, 1 / 3, 1 / 6)),
        ("7,500 5,000 2,500", (1 / 2, 1 / 3, 1 / 6)),
        ("7'500 5_000 2500", (1 / 2, 1 / 3, 1 / 6)),
        ("7.5k 5k 2.5k", (1 / 2, 1 / 3, 1 / 6)),
        ("7500EUR 5000 EUR2500", (1 / 2, 1 / 3, 1 / 6)),
        ("500,300,200", (0.5, 0.3, 0.2)),
        ("7,500", (1.0,)),
        ("50% 30% 20%", (0.5, 0.3, 0.2)),
        ("33.3%x3", (1 / 3, 1 / 3, 1 / 3)),
        ("5x20%", (0.2,) * 5),
        ("3/5,2/5", (0.6, 0.4)),
        ("1/2 0.5", (0.5, 0.5)),
        ("1/7x7", (1 / 7,) * 7),
        ("3 2 1x5", (0.3, 0.2, *[0.1] * 5)),
        ("2 1 0 0", (2 / 3, 1 / 3)),
        ("19.99 0.01", (0.9995, 0.0005)),
    ],
)
def test_a_table_can_be_written_in_many_ways(text, shares):
    if text == "19.99 0.01":
        with pytest.raises(AllpayError):  # cents beside dollars are plain with a sign only
            Mechanism.from_weights("prizes", amounts(text).numbers)
        text = "$19.99 $0.01"
    assert amounts(text).shares == pytest.approx(shares, rel=1e-12)
    assert amounts(text.split(" ")).shares == pytest.approx(shares, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("500,300 200,100", "can be read in two ways: commas may stand between prizes or set thousands apart"),
        ("$500,300", "can be read in two ways"),
        ("5x1000", "write 1000x5 for 5 prizes of 1000"),
        ("7500 5x1000", "write 1000x5 for 5 prizes of 1000"),
        ("7.500 5.000", "7.500 can be read in two ways: write 7.5 or 7500"),
        ("1/2 1/3", "fractions must sum to 1: 1/2 + 1/3 are 5/6"),
        ("50% 30%", "percentages must sum to 100: 50% + 30% are 80%"),
        ("33%x3", "percentages must sum to 100: 33%x3 are 99%"),
        ("50% 500", "prizes are given in one unit: got 50% and 500"),
        ("$5 €4", "prizes are given in one currency: got $ and €"),
        ("$50%", "is in two units"),
        ("3/0", "the lower one above 0"),
        ("0 0", "there is nothing to win"),
        ("", "no prizes are given"),
        ("first 5000", "cannot read the prize 'first'"),
        ("-500 300", "a prize cannot be below 0: got '-500'"),
        ("1000xfive", "five prizes of 1000 are written as 1000x5"),
        ("1000x0", "repeated from 1 to 100,000 times"),
        ("1000x999999999999", "repeated from 1 to 100,000 times"),
        ("2500 5000", "prizes must not rise: rank 2 gets 5000, more than the 2500 of rank 1"),
        ("7500 1000x5 $2000", "rank 7 gets $2000, more than the 1,000 of rank 6"),
        ("5x10% 50%", "rank 6 gets 50%, more than the 10% of rank 5"),
        ("1/3 2/3", "rank 2 gets 2/3, more than the 1/3 of rank 1"),
        ("0.5 0.2 0.3", "rank 3 gets 0.3, more than the 0.2 of rank 2"),
        ("0,8", "rank 2 gets 8, more than the 0 of rank 1; give the first rank first, and decimals with a point"),
        ("9e99 1", "a prize is at most 1e+15"),
    ],
)
def test_what_is_no_table_or_two_is_refused_with_a_remedy(text, message):
    with pytest.raises(AllpayError, match=message.replace("+", r"\+").replace("$", r"\$")) as error:
        amounts(text)
    assert len(str(error.value)) <= 300


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=12), st.sampled_from(["{}", "${:,}", "{}.00", "{}EUR"]))
def test_amounts_are_read_as_they_are_written(prizes, written):
    prizes = sorted(prizes, reverse=True)
    found = amounts([written.format(x) for x in prizes])
    assert found.unit == "money"
    assert found.numbers == tuple(map(float, prizes))
    assert sum(found.shares) == pytest.approx(1)


def test_amounts_say_what_they_come_to():
    assert amounts("7500,5000,2500").sentence == "Prizes of 15,000 in all; shares 0.5, 0.333, 0.167."
    assert amounts("60%,40%").sentence == "Weights given in percent; shares 0.6, 0.4."
    assert amounts("$7,500 $5,000").of(0.4) == "$5,000"
    assert amounts("3/8 3/8 1/4").of(0.375) == "3/8"
    assert amounts("$1x80").sentence == "Prizes of $80 in all; shares 0.0125 × 80."


@pytest.mark.parametrize(
    ("lines", "shares"),
    [
        ("rank,prize\n1,7500\n2,5000\n3,2500\n4-8,1000\n", (0.375, 0.25, 0.125, *[0.05] * 5)),
        ('\ufeffRank;Prize\n2;"$5,000"\n1;"$7,500"\n\n', (0.6, 0.4)),
        ("name,rank,prize\nwinner,1,60%\nsecond,2,40%\n", (0.6, 0.4)),
    ],
)
def test_a_table_is_read_from_a_file(tmp_path, lines, shares):
    path = tmp_path / "prizes.csv"
    path.write_text(lines, encoding="utf-8")
    assert read_amounts(path).shares == pytest.approx(shares)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "must name the columns rank and prize"),
        ("rank,prize\n", "it has no rows"),
        ("rank,prize\n1,7500\n3,2500\n", "rank 2 is missing"),
        ("rank,prize\n1-3,7500\n3,2500\n", "rank 3 is given twice"),
        ("rank,prize\nfirst,7500\n", "line 2: a rank is a number, or several as 4-10"),
        ("rank,prize\n1,7,500\n", "line 2 has 3 cells of 2"),
        ("rank,prize\n1,2500\n2,7500\n", "prizes must not rise: rank 2 gets 7500, more than the 2500 of rank 1"),
        ("rank,prize\n3-1,2500\n", "ranks go from 1 up"),
        ("rank,prize\n1,many\n", "line 2: cannot read the prize 'many': write an amount as 7500"),
        ("rank,prize\n1,500\n2,\n", "line 3: rank 2 has no prize: write 0"),
        ("rank,prize\n1,-5\n", "line 2: a prize cannot be below 0: got '-5'"),
        ("place;prize\n1;5\n", "got 'place;prize'"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_name(tmp_path, lines, message):
    path = tmp_path / "prizes.csv"
    path.write_text(lines)
    with pytest.raises(AllpayError, match=message) as error:
        read_amounts(path)
    assert "prizes.csv" in str(error.value)


def test_a_table_that_is_not_there_or_no_file_is_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(AllpayError, match="give a table with the columns rank and prize"):
            read_amounts(path)


def test_weights_are_taken_in_any_unit_where_prizes_are_split():
    assert weights_in("80%", "prizes")[0] == weights_in("4/5", "payments")[0] == 0.8
    assert weights_in("0.5,0.3,0.2", "prizes") == ((0.5, 0.3, 0.2), None)
    assert Mechanism.from_weights("prizes", (7500, 5000, 2500)).prizes == pytest.approx((1 / 2, 1 / 3, 1 / 6))
    assert DesignSpace("prizes", 4).complete("$7,500 $5,000 $2,500") == pytest.approx((1 / 2, 1 / 3, 1 / 6, 0))
    for wrong in ("6000,4000", "$6,000 $4,000"):
        with pytest.raises(AllpayError, match="under the rule payments weights are the parts of a bid"):
            weights_in(wrong, "payments")
    for rule, wrong in (("payments", (6000, 4000)), ("prizes", (1, 0.5)), ("prizes", (1.234, 1.1))):
        with pytest.raises(AllpayError, match="weights must sum to 1"):
            Mechanism.from_weights(rule, wrong)
    with pytest.raises(AllpayError, match="in a box"):
        DesignSpace("payments", 3, region="box").complete("60%,40%")


def test_designs_of_a_study_may_be_amounts(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('[study]\ndesigns = ["7500,5000,2500", [6000, 4000], "60%,40%", 0.8]\n')
    study = read_study(path)
    assert study.designs[0] == pytest.approx((1 / 2, 1 / 3, 1 / 6))
    assert study.designs[1].tolist() == study.designs[2].tolist() == [0.6, 0.4, 0.0]
    assert [found.unit for found in study.amounts] == ["money", "money", "percent"]
    assert Study(DesignSpace(), given=("60%,40%",)) == Study(DesignSpace(), given=((0.6, 0.4),))


def test_commands_say_what_they_read():
    done = CliRunner().invoke(app, ["equilibrium", "--weights", "7500,5000,2500"])
    assert done.stdout.startswith("Prizes of 15,000 in all; shares 0.5, 0.333, 0.167.\n\nrevenue      0.166667\n")
    simulated = ["simulate", "--weights", "60%,40%", "--rounds", "1", "--iterations", "20"]
    assert CliRunner().invoke(app, simulated).stdout.startswith("Weights given in percent; shares 0.6, 0.4.\n")
    refused = CliRunner().invoke(app, ["simulate", "--rule", "payments", "--weights", "6000,4000"])
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
