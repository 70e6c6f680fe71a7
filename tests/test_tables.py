"""The table of several studies side by side: every mean, error and verdict where it belongs."""

import numpy as np
import pytest

from allpay.learners import EpsilonGreedy, FictitiousPlay
from allpay.pipeline import design
from allpay.report.tables import as_text, by_design
from allpay.study import DesignSpace, Study

LEARNERS = (FictitiousPlay(iterations=300, auctions=100), EpsilonGreedy(iterations=3000, exploration=1000, tail=500))


@pytest.fixture(scope="module")
def results():
    return [
        design(Study(DesignSpace(rule), learner, samples=6, rounds=3))
        for rule in ("prizes", "payments")
        for learner in LEARNERS
    ]


def test_a_row_holds_what_the_rounds_of_its_design_say(results):
    table = by_design(results)
    assert table.height == 12
    assert table["rule"].to_list() == ["prizes"] * 6 + ["payments"] * 6
    assert table["w1"][:6].is_sorted()
    for result in results:
        study, rounds = result.sweep.study, result.sweep.table
        for row in table.filter(rule=study.space.rule).iter_rows(named=True):
            own = rounds.filter(w1=row["w1"])
            name = study.learner.name
            assert row[name] == pytest.approx(own["revenue"].mean(), abs=1e-15)
            assert row[f"{name} stderr"] == pytest.approx(own["revenue"].std() / np.sqrt(3), abs=1e-15)
            assert row[f"{name} converged"] == pytest.approx((own["verdict"] == "converged").mean())
            assert row["equilibrium"] == pytest.approx(row["w1"] / 2 if study.space.rule == "prizes" else 0.5, abs=1e-9)


def test_a_learner_with_designs_of_its_own_stands_in_rows_of_its_own(results):
    other = design(Study(DesignSpace("prizes"), LEARNERS[1], samples=5, rounds=1, seed=7))
    table = by_design([results[0], other])
    assert table.height == 11
    assert table["fictitious-play"].null_count() == 5
    assert table["epsilon-greedy"].null_count() == 6
    assert table["epsilon-greedy stderr"].null_count() == 11


def test_the_text_says_the_same(results):
    text = as_text(results)
    table = by_design(results)
    first = table.row(0, named=True)
    (line,) = [line for line in text.splitlines() if line.startswith(f"w = {first['w1']:.3f}")][:1]
    assert f"{first['equilibrium']:.4f}" in line
    assert f"{first['fictitious-play']:.4f} ± " in line
    stars = sum(table[f"{learner.name} converged"].is_between(0, 0.5).sum() for learner in LEARNERS)
    assert 0 < stars == text.count("*") - 1
    assert all(len(line) <= 100 for line in text.splitlines())
