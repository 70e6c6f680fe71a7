"""Several experiments in one file: learners in several contests under the same designs, on one grid."""

import json
import re
from types import SimpleNamespace

import polars as pl
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.game import Setting
from allpay.errors import AllpayError
from allpay.report import charts
from allpay.report.beside import GroupBids, Line
from allpay.report.experiments import _draw
from allpay.report.page import html_of
from allpay.report.pages.experiments import MEASURES, _best
from allpay.study import DesignSpace
from allpay.study.bundle import pack, unpacked
from allpay.study.experiment import ExperimentStudy
from allpay.study.file import experiments_of, read_file, read_study
from allpay.theory import equilibrium

FILE = """
[study]
designs = [1.0, [0.6, 0.4]]
rounds = 2
[game]
value_levels = 16
bid_levels = 41
[learner]
iterations = 300
[[experiment]]
name = "cheap"
learners = ["fictitious-play", "epsilon-greedy"]
[[experiment]]
name = "dear"
cost_power = 2.0
bidders = 4
[[experiment]]
groups = ["2: uniform(0,1)", "1: uniform(0,0.5)"]
"""


def run(*line):
    return CliRunner().invoke(app, [str(word) for word in line])


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiments") / "e.toml"
    path.write_text(FILE.replace('"epsilon-greedy"', '"level-k"'))
    return path


@pytest.fixture(scope="module")
def folder(file):
    done = run("run", file)
    assert done.exit_code == 0, done.stderr
    return file.with_suffix("")


def test_all_share_designs_rounds_seeds_and_grid(tmp_path):
    (tmp_path / "e.toml").write_text(FILE)
    asked = read_file(tmp_path / "e.toml")
    assert isinstance(asked, ExperimentStudy)
    studies = list(asked.studies().values())
    assert [study.learner.name for study in studies] == ["fictitious-play", "epsilon-greedy", *["fictitious-play"] * 2]
    assert [study.learner.iterations for study in studies] == [300, 2_000_000, 300, 300]  # of [learner], and usual ones
    assert [study.bidders for study in studies] == [3, 3, 4, 3]
    grids = [study.game(tuple(design)).bid_grid for study in studies for design in study.designs.tolist()]
    assert all(grid.tolist() == grids[0].tolist() for grid in grids)
    assert len(grids[0]) == 41
    assert grids[0][-1] == 1.0
    for study in studies:
        assert (study.rounds, study.seed, len(study.designs)) == (2, 0, 2)
        assert study.designs[:, :2].tolist() == [[1.0, 0.0], [0.6, 0.4]]
        assert study.game(tuple(study.designs[0].tolist())).value_levels == 16
    again = experiments_of(json.loads(json.dumps(asked.specification())))
    assert again.specification() == asked.specification()
    with pytest.raises(AllpayError, match="scenarios or experiments"):
        read_study(tmp_path / "e.toml")


def test_one_table_and_one_figure_with_theory_beside(folder):
    table = pl.read_csv(folder / "designs.csv")
    assert table.height == 8
    assert table["experiment"].unique(maintain_order=True).to_list()[:2] == ["cheap", "dear"]
    theory = {n: equilibrium(Setting(cost_power=p).game(DesignSpace("prizes", n).mechanism([0.6, 0.4])))
              for n, p in ((3, 1), (4, 2))}  # fmt: skip
    for row in table.filter(pl.col("design") == 1).iter_rows(named=True):
        if row["experiment"] in ("cheap", "dear"):  # the highest bid that all share is no cap for theory
            exact = theory[row["bidders"]].revenue
            assert row["equilibrium_revenue"] == pytest.approx(exact, rel=1e-12)
            assert row["off"] == pytest.approx(row["revenue"] / exact - 1)
        else:
            assert row["equilibrium_revenue"] is None
    assert abs(table.filter(pl.col("learner") == "fictitious-play")["off"].drop_nulls()).max() < 0.05
    assert abs(table.filter(pl.col("learner") == "level-k")["off"].drop_nulls()).min() > 0.02
    rounds = pl.read_parquet(folder / "rounds.parquet")
    assert rounds.group_by("experiment", "learner").len()["len"].sort().to_list() == [4, 4, 4, 4]
    assert (folder / "figure.pdf").stat().st_size > 5000
    said = (folder / "summary.txt").read_text()
    assert "2 learners in 3 contests under 2 designs, 2 rounds each, on one grid of 41 bids from 0 to 1.000" in said
    assert said.count("steps of 0.025") == 2
    page = " ".join(html_of(folder).split())
    assert "all to the winner (100%)" in page
    assert "the grid's, whose steps are 0.025" in page
    assert "No closed form to compare with, groups" in said


def test_learners_are_told_apart_by_more_than_colour():
    line = Line(x=[0.0, 0.5, 1.0], y=[0.0, 0.1, 0.4])
    for one, channel in ((line, "strokeDash"), (Line(x=[1.0], y=[0.5]), "shape")):
        inside = [(name, SimpleNamespace(groups=[GroupBids(bidders=2, learned=one, theory=None)])) for name in "ab"]
        encoding = charts.laid_over(inside, "ab", 1.0)["layer"][0]["encoding"]
        assert len(set(map(str, encoding[channel]["scale"]["range"]))) == 2
    points = charts.dots([{"name": "x", "kind": kind, "value": 1.0} for kind in "ab"], "revenue", "ab")["layer"][-1]
    assert len(set(points["encoding"]["shape"]["scale"]["range"])) == 2


def test_the_folder_is_told_exported_and_repeated(file, folder, tmp_path):
    done = run("run", file)
    assert "nothing is computed again" in done.stderr
    assert done.stdout == (folder / "summary.txt").read_text()
    status = run("status", folder).stdout
    assert status.count("experiment-") == 4
    for number, name in ((1, "cheap"), (2, "cheap"), (3, "dear")):
        assert f"experiment-{number} ({name}): prizes" in status
    exported = pl.read_csv(run("export", folder).stdout.encode())
    assert exported["experiment"].n_unique() == 4
    (folder / "result.json").rename(folder / "old.json")
    done = run("resume", folder, "--json")
    assert json.loads(done.stdout)["results"][2]["experiment"] == "dear"
    assert json.loads((folder / "result.json").read_text()) == json.loads((folder / "old.json").read_text())
    pack(folder, tmp_path / "e.zip")
    assert experiments_of(unpacked(tmp_path / "e.zip").specification).specification() == read_file(file).specification()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("designs = [1.0, [0.6, 0.4]]\n", "", "designs that are given"),
        ('name = "dear"', 'name = "cheap"', "another name"),
        ("[[experiment]]\nname", "[[scenario]]\nbidders = 3\n[[experiment]]\nname", "scenarios or experiments"),
        ("cost_power = 2.0", "weight = 2.0", "weight belongs in [[scenario]]"),
        ("cost_power = 2.0", "bid_levels = 9", "share one grid"),
        ("cost_power = 2.0", 'learners = ["nobody"]', "[[experiment]] 2: unknown learner"),
        ("cost_power = 2.0", 'learners = ["os:system"]', "--trust"),
        ("cost_power = 2.0", "learners = []", None),
        ("cost_power = 2.0", "cost_power = -1.0", "[[experiment]] 2"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, old, new, said):
    path = tmp_path / "e.toml"
    path.write_text(FILE.replace(old, new, 1))
    if said is None:
        assert len(read_file(path).experiments) == 3  # nobody learns the second
        return
    with pytest.raises(AllpayError) as error:
        read_file(path, trust=False)
    assert said in str(error.value)
    assert len(str(error.value).split(": ", 1)[1]) <= 300


def charts_of(html):
    return {
        name: json.loads(held) for name, held in re.findall(r'data-chart="([^"]+)">(.*?)</script>', html, re.DOTALL)
    }


def test_the_page_says_the_answer_of_each_contest_and_draws_all(folder):
    done = run("report", folder)
    assert done.exit_code == 0, done.stderr
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert len(html.encode()) < 3e6
    words = " ".join(re.sub("<script.*?</script>|<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split())
    for part in ("How sure is this?", "No theory: ", "cheap", "dear", "Five words", "allpay resume", "study.json"):
        assert part in words
    charts = charts_of(html)
    bids = {f"bids{contest}-{design}" for contest in (1, 2, 3) for design in (1, 2)}
    assert set(charts) == {"main", "measure1", "gain", *bids}
    table = pl.read_csv(folder / "designs.csv")
    drawn = charts["main"]["data"]["values"]
    for name, column in (("value", "revenue"), ("theory", "equilibrium_revenue")):
        seen = sorted(row[name] for row in drawn if row[name] is not None)
        assert seen == pytest.approx(table[column].drop_nulls().sort().to_list(), rel=1e-5)
    known, unlike = charts["bids1-1"]["layer"], charts["bids3-1"]["layer"]
    assert {row["kind"] for row in known[0]["data"]["values"]} == {"fictitious-play", "level-k"}
    exact = known[1]["data"]["values"]  # the winner takes all of three: 2/3 v³, over the values of a level
    assert all(row["y"] == pytest.approx(2 / 3 * row["x"] ** 3, abs=2e-3) for row in exact)
    assert {row["group"] for row in unlike[0]["data"]["values"]} == {"group 1", "group 2"}
    ranked = table.filter(pl.col("experiment") == "dear").sort("revenue", descending=True)
    first = {1.0: "all to the winner (100%)", 0.6: "60% / 40%"}[ranked["w1"][0]]
    assert f"{first} is best, {ranked['revenue'][0]:.4f}" in words.split("Ranks are decided")[2]


def test_learners_whose_lines_coincide_are_both_seen():
    values = [k / 20 for k in range(21)]
    bids = pl.DataFrame({"group": 1, "round": 1, "value": values, "mean": values, "q10": values, "q90": values})
    ax = Figure().subplots()
    for k, name in enumerate(("one", "two")):
        experiment = SimpleNamespace(learner=SimpleNamespace(name=name))
        _draw(ax, SimpleNamespace(game=SimpleNamespace(groups=(1,)), bids=bids, experiment=experiment), k, 2, {})
    one, two = ax.lines
    assert one.get_marker() != two.get_marker()
    marked = [set(values[line.get_markevery()[0] :: line.get_markevery()[1]]) for line in (one, two)]
    assert all(len(places) > 3 for places in marked)
    assert not marked[0] & marked[1]


def test_designs_that_chance_or_the_grid_keeps_together_are_told_as_alike():
    main = MEASURES[0]
    rows = [
        {"learner": "a", "design": d, "revenue": r, "revenue_stderr": e, "off": None, "converged": 1, "rounds": 1}
        for d, r, e in (("A", 1.0, 0.01), ("B", 0.99, 0.01), ("C", 0.8, 0.01))
    ]
    assert _best(rows, main, 0.0)["alike"] == ["B"]
    assert not _best(rows[::2], main, 0.0)["alike"]
    assert _best(rows[::2], main, 0.3)["all_alike"]
    assert _best([{**row, "revenue_stderr": None} for row in rows], main, 0.0)["alike"] == ["B", "C"]  # one round


def test_an_objective_of_ones_own_and_payments_stand_in_table_words_and_page(tmp_path):
    path = tmp_path / "e.toml"
    text = FILE.replace("rounds = 2", 'rounds = 2\nobjective = "top-2"\nrule = "payments"').split("[[experiment]]")
    path.write_text("[[experiment]]".join(text[:1] + text[2:3]).replace("300", "50"))
    assert run("run", path).exit_code == 0
    folder = path.with_suffix("")
    table = pl.read_csv(folder / "designs.csv")
    assert table["w1"].to_list() == [1.0, 0.6]  # what ranks pay; the prize is one
    assert (abs(table["off"] - (table["top-2"] / table["equilibrium_top-2"] - 1)) < 1e-9).all()
    assert "mean of the 2 highest bids" in (folder / "summary.txt").read_text()
    run("report", folder)
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "(0.6, 0.4)" in html
    drawn = charts_of(html)
    assert set(drawn) >= {"main", "measure1", "measure2", "gain"}
    assert [row["value"] for row in drawn["main"]["data"]["values"]] == pytest.approx(
        table["top-2"].to_list(), rel=1e-5
    )
