"""Published experiments: what they say of themselves, and what theory and models make of them."""

import sys
from pathlib import Path

import pytest

from allpay.cli import main
from allpay.contest.values import Common
from allpay.verify import lab

FOUND = {experiment.name: experiment for experiment in lab.experiments()}
PAGE = Path(__file__).parents[1] / "docs" / "held-against-people.md"


def test_the_experiments_that_are_there():
    assert [name.split()[0] for name in FOUND] == ["Barut,", "Ernst", "Gneezy", "Müller", "Noussair", "Sheremeta"]
    for experiment in FOUND.values():
        assert bool(experiment.observed) == bool(experiment.read), experiment.name  # nothing is told that was not read


def test_theory_is_what_the_paper_predicts():
    """Six values uniform on [0, 1000]: the mean of the second highest, 1000·5/7."""
    (treatment,) = FOUND["Noussair & Silver 2006"].treatments
    assert lab.theory_of(treatment) == pytest.approx(treatment.printed, abs=0.005)


def test_theory_of_known_values_is_full_dissipation_and_of_lotteries_that_of_clark_and_riis():
    for name in ("Ernst & Thöni 2013", "Gneezy & Smorodinsky 2006"):
        for treatment in FOUND[name].treatments:
            assert isinstance(treatment.game.values, Common)
            assert lab.theory_of(treatment) == pytest.approx(1.0)
    single, unequal, equal = (lab.theory_of(treatment) for treatment in FOUND["Sheremeta 2011"].treatments)
    assert single == pytest.approx(3 / 4)
    assert equal < unequal < single


def test_models_of_one_treatment():
    """Two bidders of a common value: uniform bids whatever the noise, 1 + w with joy, about 1 − Λ/3 with a dread."""
    experiment = FOUND["Ernst & Thöni 2013"]
    given = {one.model: one for one in lab._given(experiment, experiment.treatments[0])}
    assert list(given) == list(lab.MODELS)
    assert given["logit, μ = .2 v"].revenue == pytest.approx(1.0)
    assert given["joy of winning .2 v"].revenue == pytest.approx(1.2)
    assert given["disappointment .5"].revenue == pytest.approx(1 - 0.5 / 3, rel=0.03)
    assert given["disappointment .5"].low > 0.15 > given["logit, μ = .2 v"].low


@pytest.mark.parametrize("option", [["--full"], ["--seed", "3"]])
def test_options_without_effect_are_refused(option, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["allpay", "verify", "--lab", *option])
    with pytest.raises(SystemExit):
        main()
    assert f"{option[0]} has no effect with --lab" in capsys.readouterr().err


def test_the_page_in_the_docs_is_that_of_the_command():
    page = PAGE.read_text("utf-8")
    for experiment in FOUND.values():
        assert f"## {experiment.name}\n\n{experiment.source}" in page
        assert f"Observed: {experiment.observed or lab.NOT_HAD}." in page
        for treatment in experiment.treatments:
            assert f"**{treatment.label}**: theory: revenue {lab._number(lab.theory_of(treatment))}" in page
