"""Several experiments in one file: learners in several contests under the same designs, on one grid."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.game import Setting
from allpay.errors import AllpayError
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
    assert "No closed form to compare with, groups" in said


def test_the_folder_is_told_exported_and_repeated(file, folder, tmp_path):
    done = run("run", file)
    assert "nothing is computed again" in done.stderr
    assert done.stdout == (folder / "summary.txt").read_text()
    assert run("status", folder).stdout.count("experiment-") == 4
    exported = pl.read_csv(run("export", folder).stdout.encode())
    assert exported["experiment"].n_unique() == 4
    assert "summary.txt" in run("report", folder).stderr
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
