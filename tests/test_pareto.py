"""Pareto fronts: of functions whose front is known, by theory, and of a sweep."""

import json
import re

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from allpay.cli import app
from allpay.contest.game import Setting
from allpay.contest.values import Common
from allpay.errors import AllpayError
from allpay.exact import best_in_theory, objective_at
from allpay.pareto import pareto, pareto_in_theory, polished, search, undominated
from allpay.report.front import front_in_words, front_table
from allpay.study import DesignSpace, run
from test_objectives_of_studies import SMALL


def test_what_no_other_beats_is_kept():
    values = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.4, 0.4], [1.0, -1.0], [0.5, 0.5]])
    assert undominated(values).tolist() == [True, True, True, False, False, True]
    assert undominated(np.ones((3, 2))).all()


def test_the_front_of_two_peaks_lies_between_them():
    """Of −|w − a|² and −|w − b|² it is the stretch from a to b."""
    space = DesignSpace("prizes", 5, 4)
    a, b = np.array([0.7, 0.2, 0.1, 0, 0]), np.array([0.4, 0.3, 0.2, 0.1, 0])

    def peak(at):
        return lambda w: (-np.sum((np.asarray(w) - at) ** 2, axis=-1), -2 * (np.asarray(w) - at))

    points = search([peak(a), peak(b)], space.polytope, 0)
    assert len(points) >= 6
    along = np.clip((points - a) @ (b - a) / np.sum((b - a) ** 2), 0, 1)
    assert np.abs(points - (a + along[:, None] * (b - a))).max() < 0.02
    assert along.min() < 0.02
    assert along.max() > 0.98


def test_a_front_is_polished_to_its_ends_and_everywhere_between():
    """Of the two peaks: from points near the stretch to points on it, its ends to many digits."""
    space = DesignSpace("prizes", 5, 4)
    a, b = np.array([0.7, 0.2, 0.1, 0, 0]), np.array([0.4, 0.3, 0.2, 0.1, 0])

    def peak(at):
        return lambda w: (-np.sum((np.asarray(w) - at) ** 2, axis=-1), -2 * (np.asarray(w) - at))

    peaks = [peak(a), peak(b)]
    rough = a + np.linspace(0.05, 0.95, 7)[:, None] * (b - a)
    rough = 0.98 * rough + 0.02 * space.polytope.corners.mean(axis=1)[0]
    points = polished(peaks, rough, space.polytope)
    along = np.clip((points - a) @ (b - a) / np.sum((b - a) ** 2), 0, 1)
    assert np.abs(points - (a + along[:, None] * (b - a))).max() < 1e-5
    assert along.min() < 1e-5
    assert along.max() > 1 - 1e-5
    assert len(points) >= 7


def test_no_design_near_a_front_by_theory_is_better_in_all():
    """Its ends are the best designs of each objective, to a millionth; and a step from any point towards another design, be it
    a corner or not, makes one of the objectives worse."""
    space, setting, goals = DesignSpace("prizes", 5), Setting(cost_power=2.0), ("revenue", "highest-bid")
    front = pareto_in_theory(space, setting, goals)
    assert front.weights[0] == pytest.approx([0.8, 0.2, 0, 0, 0], abs=1e-4)
    for column, text in enumerate(goals):
        best = best_in_theory(space, setting, text)
        assert front.values[:, column].max() == pytest.approx(best.value, rel=1e-6)
    points = front.weights
    towards = np.concatenate([space.polytope.corners[0], points, space.sample(20, 1)])
    near = np.concatenate([(1 - step) * points[:, None] + step * towards for step in (1e-3, 0.03)], axis=1)
    found = [objective_at(space, setting, goal)(near.reshape(-1, near.shape[2]))[0] for goal in goals]
    gains = np.stack(found, axis=-1).reshape(*near.shape[:2], 2) - front.values[:, None]
    assert (gains / np.ptp(front.values, axis=0)).min(axis=2).max() <= 2e-6


def test_one_design_may_be_best_for_all_objectives():
    """Four bidders at cost b²: all to the winner brings most revenue, and the highest bid."""
    front = pareto_in_theory(DesignSpace("prizes", 4), Setting(cost_power=2.0), ("revenue", "highest-bid"))
    assert front.weights.shape == (1, 4)
    assert front.weights[0] == pytest.approx([1, 0, 0, 0], abs=1e-9)
    assert front_in_words(front).startswith("One design is best for all")


def test_the_front_by_theory_ends_at_the_best_designs_of_each():
    space, setting = DesignSpace("prizes", 5), Setting(Common(), 2)
    front = pareto_in_theory(space, setting, ["revenue", "highest-bid"])
    assert front.efficient.all()
    assert np.all(np.diff(front.values[:, 0]) < 0)
    assert np.all(np.diff(front.values[:, 1]) > 0)
    for column, text in ((0, "revenue"), (1, "highest-bid")):
        best = best_in_theory(space, setting, text)
        assert front.values[:, column].max() == pytest.approx(best.value, rel=1e-6)
        assert front.values[:, column].max() <= best.value * (1 + 1e-9)
    for given, message in (
        (["revenue"], "two objectives or more"),
        (["revenue", "entrants"], "no gradient of entrants"),
    ):
        with pytest.raises(AllpayError, match=message):
            pareto_in_theory(space, setting, given)


def test_the_front_of_a_sweep_is_measured_drawn_and_written(tmp_path, monkeypatch):
    folder = tmp_path / "study"
    run(SMALL, folder)
    front = pareto(SMALL, ["welfare"], folder)
    assert [goal.text for goal in front.objectives] == ["revenue", "welfare"]
    assert front.values.shape == front.errors.shape == (len(front.weights), 2)
    assert np.array_equal(front.efficient, undominated(front.values))
    assert front.sweep == run(SMALL, folder, also=["welfare"])
    table = front_table(front)
    assert table.columns[:4] == ["w1", "w2", "revenue", "revenue stderr"]
    assert re.match(
        "Pareto front of revenue and welfare|One design is best for all: revenue and welfare", front_in_words(front)
    )
    monkeypatch.setattr("allpay.pareto.pareto", lambda *given, **options: front)
    options = ["--objective", "revenue", "--objective", "welfare"]
    done = json.loads(CliRunner().invoke(app, ["design", str(folder), *options, "--json"]).stdout)
    assert done["objectives"] == ["revenue", "welfare"]
    for point, weights, values in zip(done["front"], front.weights, front.values, strict=True):
        assert point["weights"] == weights.tolist()
        assert [found["mean"] for found in point["values"].values()] == values.tolist()
    assert pl.read_csv(folder / "front.csv").equals(table)
    assert (folder / "front.png").stat().st_size > 5_000
    assert (folder / "front.pdf").read_bytes()[:4] == b"%PDF"
    assert "What the grid of bids and values leaves open is not in it" in front_in_words(front)
    assert front_in_words(front) in CliRunner().invoke(app, ["design", str(folder), *options]).stdout


def test_the_command_gives_a_front_by_theory(tmp_path):
    line = [
        "design",
        "--method",
        "theory",
        "--bidders",
        "4",
        "--cost-power",
        "3",
        "--objective",
        "top-3",
        "--objective",
        "highest-bid",
    ]
    done = CliRunner().invoke(app, [*line, "--out", str(tmp_path / "front")])
    assert "Pareto front of mean of the 3 highest bids and highest bid" in done.stdout
    assert (tmp_path / "front" / "front.csv").exists()
    refused = CliRunner().invoke(app, [*line, "--out", str(tmp_path)])
    assert refused.exit_code == 2
    assert "holds something else" in refused.stderr
