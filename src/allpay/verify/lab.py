"""Published experiments beside theory and models of how people bid. Facts and figures only, each with where it is from; what
could not be read in a source is not told."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from allpay.contest.attitudes import Disappointment, Prelec
from allpay.contest.bidder import Bidder
from allpay.contest.game import Game
from allpay.contest.mechanism import Mechanism
from allpay.contest.payoffs import evaluate
from allpay.contest.preferences import LossAverse
from allpay.contest.success import success
from allpay.contest.values import Common, Private, distribution
from allpay.learners.base import Learner, run_seeds
from allpay.learners.level_k import LevelK
from allpay.learners.logit_equilibrium import LogitEquilibrium
from allpay.progress import Reporter, Silent
from allpay.theory import equilibrium

NOT_HAD = "not had from a source that was read"
"""What stands where an observation would."""

LEVELS, BIDS = 32, 101
"""Values and bids of the grid."""

LITTLE = 0.01
"""The noise, as a part of the highest value, with which bidders of a preference are solved for: nearly none."""

LOW, HIGH = 0.1, 0.9
"""Bids up to the one part of the highest value are low, from the other on high."""


@dataclass(frozen=True)
class Treatment:
    """One contest of an experiment.

    Attributes:
        label: what it is called.
        game: it, as theory and learners read it; revenue is in the units of the paper.
        printed: the revenue that the paper predicts by theory; None where that was not had.
    """

    label: str
    game: Game
    printed: float | None


@dataclass(frozen=True)
class Experiment:
    """A published experiment.

    Attributes:
        name: authors and year.
        source: where it was published.
        setting: who bid for what, in words.
        observed: what was seen, in words; empty where it was not had.
        read: what of it was read: "abstract"; empty for nothing.
        treatments: its contests.
    """

    name: str
    source: str
    setting: str
    observed: str
    read: str
    treatments: tuple[Treatment, ...]


@dataclass(frozen=True)
class Given:
    """What a model makes of a treatment.

    Attributes:
        experiment, treatment, model: which.
        revenue: expected, in the units of the paper.
        theory: the same in the equilibrium of money alone; NaN where there is no formula.
        low, high: the parts of bids up to a tenth of the highest value, and from nine tenths on.
    """

    experiment: str
    treatment: str
    model: str
    revenue: float
    theory: float
    low: float
    high: float


def experiments() -> tuple[Experiment, ...]:
    """All experiments that come with the package, by name."""
    folder = files("allpay.verify") / "lab"
    texts = [file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".toml")]
    return tuple(sorted((_experiment(tomllib.loads(text)) for text in texts), key=lambda found: found.name))


def _experiment(found: dict[str, Any]) -> Experiment:
    treatments = tuple(
        Treatment(part["label"], _game(part), float(part["printed"]) if "printed" in part else None)
        for part in found.pop("treatment")
    )
    return Experiment(**found, treatments=treatments)


def _game(part: dict[str, Any]) -> Game:
    text, prizes = part["values"], tuple(part["prizes"])
    common = text.removeprefix("common(").removesuffix(")") if text.startswith("common(") else None
    values = Private(distribution(text), LEVELS) if common is None else Common(float(common))
    rules = Mechanism(prizes, (1.0,) * len(prizes), success=success(part.get("luck", "none")))
    return Game(rules, values, cost_power=part.get("cost_power", 1.0), bid_levels=BIDS)


def _of_people(change: Callable[[Bidder, float], dict[str, Any]]) -> Callable[[Game], tuple[Game, Learner]]:
    """Bidders who differ from those of a game by these fields, and hardly err."""

    def made(game: Game) -> tuple[Game, Learner]:
        bidder, count = game.groups[0]
        high = game.highest_value
        kind = Bidder(bidder.values, bidder.cost, **change(bidder, high))
        return Game(game.mechanism, [(kind, count)], bid_levels=BIDS), LogitEquilibrium(LITTLE * high, auctions=1)

    return made


MODELS: dict[str, Callable[[Game], tuple[Game, Learner]]] = {
    "logit, μ = .05 v": lambda game: (game, LogitEquilibrium(0.05 * game.highest_value, auctions=1)),
    "logit, μ = .2 v": lambda game: (game, LogitEquilibrium(0.2 * game.highest_value, auctions=1)),
    "joy of winning .2 v": _of_people(lambda _, high: {"joy": 0.2 * high}),
    "losses count twice": _of_people(lambda _, high: {"utility": LossAverse(2.0)}),
    "disappointment .5": _of_people(lambda _, high: {"attitude": Disappointment(0.5)}),
    "weighted chances, α = .65": _of_people(lambda _, high: {"attitude": Prelec(0.65)}),
    "level 1": lambda game: (game, LevelK(1, auctions=1)),
    "level 2": lambda game: (game, LevelK(2, auctions=1)),
    "hierarchy, τ = 1.5": lambda game: (game, LevelK(hierarchy=1.5, auctions=1)),
}
"""Models by name: from a game to the game that people play and how they do; v is the highest value."""


def held_against_people(reporter: Reporter | None = None) -> tuple[Given, ...]:
    """What each model makes of each treatment of each experiment."""
    found, reporter = experiments(), reporter or Silent()
    total = sum(len(experiment.treatments) for experiment in found) * len(MODELS)
    given: list[Given] = []
    with reporter.stage(f"people: {len(found)} experiments"):
        for experiment in found:
            for treatment in experiment.treatments:
                for one in _given(experiment, treatment):
                    given.append(one)
                    reporter.advance(len(given), total)
    return tuple(given)


def _given(experiment: Experiment, treatment: Treatment) -> Iterator[Given]:
    known = theory_of(treatment)
    for name, model in MODELS.items():
        game, learner = model(treatment.game)
        strategy = learner.learn([game], run_seeds(0, 1, 1)).strategy[0, 0]
        mass = strategy.mean(axis=(0, 1))
        place = game.bid_grid / game.highest_value
        low, high = (float(mass[which].sum()) for which in (place <= LOW + 1e-9, place >= HIGH - 1e-9))
        yield Given(experiment.name, treatment.label, name, evaluate(game, strategy).revenue, known, low, high)


def theory_of(treatment: Treatment) -> float:
    """The revenue of the equilibrium of bidders who care for money alone; NaN where there is no formula."""
    found = equilibrium(treatment.game)
    return np.nan if found is None else float(found.revenue)


def lab_page(given: tuple[Given, ...]) -> str:
    """The page "Held against people", in Markdown."""
    parts = [
        "# Held against people",
        "Written by `allpay verify --lab --markdown docs/held-against-people.md`; every computed number below is from that "
        "run.",
        "Theory says what bidders do who want money, make no mistakes, and know that others make none. People in laboratories "
        "differ from it. Below are published experiments: what theory predicts (computed here, beside what the paper predicts "
        "where that is known), what was observed, and what each [model of behaviour](theory.md#people-as-they-bid) makes of "
        "the same contest. The numbers of the models (how much people err, enjoy to win, or dread) are round examples, the "
        "same for all experiments; none was fitted to any of them. `allpay.estimate.behaviour` fits them to bids.",
        f"An observation is told only where it could be read in the source, and then only what was read; else the row says "
        f"“{NOT_HAD}”. Low bids are those up to a tenth of the highest value, high ones those from nine tenths on.",
    ]
    for experiment in experiments():
        seen = experiment.observed or NOT_HAD
        of = f" (of it was read: {experiment.read})" if experiment.read else ""
        parts += [
            f"## {experiment.name}",
            f"{experiment.source}{of}.",
            f"Setting: {experiment.setting}.",
            f"Observed: {seen}.",
        ]
        for treatment in experiment.treatments:
            rows = [g for g in given if (g.experiment, g.treatment) == (experiment.name, treatment.label)]
            printed = "" if treatment.printed is None else f"; the paper's prediction is {treatment.printed:g}"
            known = rows[0].theory
            theory = "theory has no formula" if np.isnan(known) else f"theory: revenue {_number(known)}{printed}"
            lines = ["| model | revenue | of theory | low bids | high bids |", "|---|--:|--:|--:|--:|"]
            lines += [
                f"| {g.model} | {_number(g.revenue)} | {_part(g.revenue / known)} | {_part(g.low)} | {_part(g.high)} |"
                for g in rows
            ]
            parts += [f"**{treatment.label}**: {theory}.", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def lab_text(given: tuple[Given, ...]) -> str:
    """The same as a table for the terminal, and what was observed."""
    lines = []
    for experiment in experiments():
        lines += [experiment.name, f"  observed: {experiment.observed or NOT_HAD}"]
        for treatment in experiment.treatments:
            rows = [g for g in given if (g.experiment, g.treatment) == (experiment.name, treatment.label)]
            printed = "" if treatment.printed is None else f" (the paper's prediction is {treatment.printed:g})"
            lines.append(f"  {treatment.label}: theory {_number(rows[0].theory)}{printed}")
            lines += [f"    {g.model:<26} {_number(g.revenue):>9}  {_part(g.revenue / g.theory):>6}" for g in rows]
    return "\n".join(lines)


def _number(x: float) -> str:
    return "–" if np.isnan(x) else f"{x:.4g}"


def _part(x: float) -> str:
    return "–" if np.isnan(x) else f"{x:.0%}"
