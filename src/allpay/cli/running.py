"""What several commands do: run studies, or the single design of one, or ask theory; and say what came out."""

import io
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from allpay.cli.again import check_free
from allpay.cli.console import fail, plain, print_json, reporting
from allpay.cli.kept import tell_finished
from allpay.cli.results import (
    FRONT_FILES,
    labelled,
    result_values,
    summary_of,
    write_bids,
    write_front,
    write_results,
    write_rounds,
)
from allpay.cli.stopping import Keeping, Terminated, status_of
from allpay.errors import AllpayError
from allpay.files import in_shell

WIDE = 1000
"""Letters of a line: numbers are never cut to fit a terminal, which breaks long lines itself."""

MOST_WORKERS = 10_000
"""More processes than this are refused: no machine has as many cores."""

THEORY_FILES = {"summary.txt", "theory.json"}
"""What the answer of theory leaves in a folder."""

MANY = 3
"""So many standard errors from theory are more than chance."""

MOST_SAID = 10
"""Of so many given designs, at most, it is said how they were read."""

if TYPE_CHECKING:
    from rich.console import Console

    from allpay.estimate.advice import Advice, LastYear
    from allpay.estimate.values import EstimatedGroups, EstimatedValues
    from allpay.objectives import Objective
    from allpay.outcome import Outcome
    from allpay.simulation import Estimate
    from allpay.study import Study
    from allpay.theory import Equilibrium


def simulate_study(study: "Study", out: Path | None, as_json: bool, plot: Path | None = None) -> None:
    """What the only design of a study brings, on stdout and, if they are given, in a folder, and as a figure in a file."""
    start, store = time.perf_counter(), None
    if plot is not None:
        from allpay.report.look import place

        place(plot)  # before anybody learns
    elif out is not None and tell_finished(out, study.specification(), as_json):
        return
    try:
        with reporting("rounds") as bars, ExitStack() as stack:
            from rich.console import Console

            from allpay.files import write
            from allpay.progress import listening
            from allpay.report.groups import by_group
            from allpay.report.rounds import draw_into, draw_rounds
            from allpay.simulation import Estimate, changes_on_finer_grid, coarseness
            from allpay.study.store import RESULT, open_store
            from allpay.study.sweep import Sweep, learn_one, read_bids
            from allpay.theory import equilibrium_or_reason
            from allpay.versions import versions

            specification, rule, learner = study.specification(), study.space.rule, study.learner.name
            if out is not None:
                store = stack.enter_context(open_store(out, specification, versions()))
                stack.enter_context(Keeping(how_to_go_on(out), store.log))
            with bars.stage(f"{rule}, {learner}: bidders learn"), listening(bars.advance):
                outcome = learn_one(study, store)
            seconds = time.perf_counter() - start
            game = outcome.games[0]
            theory = equilibrium_or_reason(game)
            exact = None if isinstance(theory, str) else theory

            estimates = {
                name: Estimate(tuple(getattr(outcome, name)[0].tolist()))
                for name in ("revenue", "highest_bid", "exploitability", "realised_revenue", "realised_highest_bid")
            }

            def finer() -> float:
                return float(changes_on_finer_grid(study, study.designs, [0], outcome.revenue).mean())

            revenue, settled = estimates["revenue"], float(outcome.converged.mean())
            blame = finer if study.learner.continuous else None
            compared = None if outcome.behaviour else exact  # what people bid is not held against an equilibrium
            note = coarseness(game, compared, revenue.mean, settled, blame, revenue.half_width)
            weights = study.designs[0].tolist()
            values = {
                "weights": weights,
                "rule": rule,
                "learner": learner,
                **{name: {"mean": e.mean, "stderr": e.stderr, "rounds": e.rounds} for name, e in estimates.items()},
                "relative_exploitability": outcome.relative_exploitability[0],
                "distance": outcome.distance[0],
                "total_exploitability": outcome.total_exploitability[0],
                "exploitability_history": outcome.history[0],
                "asymmetry": outcome.asymmetry[0],
                "converged": bool(outcome.converged.all()),
                "verdicts": outcome.verdicts[0].tolist(),
                "sentence": outcome.sentence,
                "equilibrium": None if exact is None else {"revenue": exact.revenue, "highest_bid": exact.highest_bid},
                "note": note,
                "auctions": outcome.auctions,
                "iterations": outcome.iterations[0].tolist(),
                "seed": study.seed,
                "seconds": seconds,
            }
            kinds = by_group(outcome)
            values |= {"groups": kinds.groups, "fees": kinds.fees, "prizes_paid": kinds.prizes}
            told = simulated_in_words(study, outcome, estimates, exact, note, seconds)
            if out is not None and store is not None:
                held = {"versions": versions(), "results": [{**values, "specification": specification}]}
                text = io.StringIO()
                told(_plain_console(text))
                write(out / "summary.txt", lambda file: file.write(text.getvalue().encode()))
                write(out / RESULT, lambda file: file.write(json.dumps(plain(held), indent=2).encode()))
                table, _ = store.read_batch(0) or (None, {})
                if table is not None:
                    write_rounds(labelled(table, study.space.rule, study.learner.name), [study], out)
                    write_bids([Sweep(study, table, bids=read_bids(store, [0]))], out)
                draw_rounds(outcome, exact, out / "figure.png")
                store.log(f"written: summary.txt, rounds, bids, figure, {RESULT}")
    except (KeyboardInterrupt, AllpayError) as error:
        go_on(error, None if store is None else out)
    if as_json:
        print_json({**values, "given": [amounts.values() for amounts in study.amounts]})
    else:
        say_amounts(study)
        told(Console(highlight=False, width=WIDE))
    if plot is not None:  # last, so that what cannot be drawn is still told
        typer.echo(f"allpay: wrote {draw_into(outcome, exact, plot)}", err=True)


def say_amounts(study: "Study") -> None:
    """Say of designs given in money, percent or fractions what was read."""
    for amounts in study.amounts[:MOST_SAID]:
        typer.echo(amounts.sentence)
    if study.amounts:
        typer.echo("")


def _plain_console(file: io.StringIO) -> "Console":
    """Writes text without colours, whatever the terminal's are."""
    from rich.console import Console

    return Console(file=file, highlight=False, width=WIDE, force_terminal=False, color_system=None)


def simulated_in_words(
    study: "Study",
    outcome: "Outcome",
    estimates: "dict[str, Estimate]",
    exact: "Equilibrium | None",
    note: str | None,
    seconds: float,
) -> "Callable[[Console], None]":
    """What one design brings, for people: a table of the rounds, and sentences; it is printed on the console given."""
    from rich.table import Table

    from allpay.report.groups import by_group
    from allpay.report.summary import contest_in_words, who_in_words
    from allpay.report.words import keep_table, significant
    from allpay.scalars import numeral
    from allpay.simplex import shown
    from allpay.theory import equilibrium_or_reason

    game = outcome.games[0]
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = {
        "revenue": "revenue",
        "realised_revenue": "realised",
        "highest_bid": "highest bid",
        "exploitability": "exploitability",
    }

    def told_number(x: float, name: str) -> str:
        return significant(x, 2 if name == "exploitability" else 4)

    head = ["round", *names.values(), "verdict"]
    rounds = [
        [str(r + 1), *(told_number(estimates[n].rounds[r], n) for n in names), str(outcome.verdicts[0, r])]
        for r in range(study.rounds)
    ]
    mean = ["mean", *(told_number(estimates[n].mean, n) for n in names), ""]
    errors = ["± s.e.", *("–" if study.rounds == 1 else significant(estimates[n].stderr, 2) for n in names), ""]
    theory = (
        [] if exact is None else [["theory", significant(exact.revenue), "", significant(exact.highest_bid), "0", ""]]
    )
    for heading in head:
        table.add_column(heading, justify="left" if heading == "verdict" else "right")
    for row in rounds:
        table.add_row(*row)
    table.add_section()
    table.add_row(*mean, style="bold")
    for row in (errors, *theory):
        table.add_row(*row)
    kinds = by_group(outcome)
    played = f"{study.space.rule} {shown(study.designs[0].tolist(), 4)}, {who_in_words(game, game.bidders)}"

    keep_table(
        [head, *rounds, mean, errors, *theory], f"Rounds of learning under one design: {played}, {study.learner.name}."
    )
    if game.parts:
        keep_table(
            kinds.cells(), f"What each group of bidders bids, and what that brings it: {played}, {study.learner.name}."
        )

    def told(console: "Console") -> None:
        bids = f"{game.bid_levels} bids up to {numeral(game.top_bid, 4)}"
        console.print(f"{played}, {bids}, {study.learner.name}, {seconds:.1f} s\n")
        console.print(table)
        if game.parts:
            console.print()
            console.print(kinds.table())
        console.print(f"\n{' '.join([*contest_in_words(game), *kinds.sentences(game)])}", soft_wrap=True)
        console.print(outcome.sentence, soft_wrap=True)
        off = 0.0 if exact is None else estimates["revenue"].mean - exact.revenue
        if study.rounds > 1 and exact is not None and abs(off) > MANY * estimates["revenue"].stderr:
            side = "above" if off > 0 else "below"
            part = f"{abs(off) / exact.revenue:.2%}" if exact.revenue > 0 else numeral(abs(off), 2)
            console.print(
                f"± s.e. is the chance of rounds alone. That revenue is {part} {side} theory's is no chance: theory knows no "
                "grid of values and bids, and bidders who learn stop short of its equilibrium.",
                soft_wrap=True,
            )
        if note:
            console.print(note, soft_wrap=True)
        if exact is None:
            console.print(f"No closed form to compare with: {equilibrium_or_reason(game)}", soft_wrap=True)

    return told


def go_on(error: KeyboardInterrupt | AllpayError, folder: Path | None) -> NoReturn:
    """End the program with one line that says how to go on with the study in a folder, if there is one."""
    kept = "" if folder is None else how_to_go_on(folder)
    if isinstance(error, KeyboardInterrupt):
        fail(f"{'terminated' if isinstance(error, Terminated) else 'stopped'}{kept}", status_of(error))
    raise AllpayError(f"{error}{kept}") from error


def how_to_go_on(folder: Path) -> str:
    """What the last line says of a study that is kept."""
    return f"; what is finished is kept: allpay resume {in_shell(folder)}"


def design_again(
    folder: Path, goals: "tuple[Objective, ...]", workers: int | None, scheduler: str | None, trust: bool, as_json: bool
) -> None:
    """What the designs of a study that is in a folder are best for; without goals, what it asked itself."""
    from allpay.study.file import studies_of
    from allpay.study.store import read_folder

    studies = studies_of(read_folder(folder).specification, trust)
    if goals:
        studies = {name: replace(study, objective=goals[0].text) for name, study in studies.items()}
    run_studies(studies, folder, workers, scheduler, as_json, goals[1:])
    if goals:
        typer.echo(
            f"allpay: what the folder shows is now for {goals[0].text}; allpay design {in_shell(folder)} gives back what it "
            "was made for",
            err=True,
        )


def run_studies(
    studies: "dict[str, Study]",
    out: Path | None,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
    also: "tuple[Objective, ...]" = (),
    known: "EstimatedValues | EstimatedGroups | None" = None,
) -> None:
    """The whole pipeline for the studies of a folder, by their folders below it, and what they found on stdout.

    With objectives beside that of the only study, it is their Pareto front; where values are `known` from data, it is said
    how far the answer depends on them.
    """
    from allpay.learners.base import check_count
    from allpay.study.file import together

    only = next(iter(studies.values()))
    if workers is not None:
        check_count("workers", workers, most=MOST_WORKERS)
    if also:
        if len(studies) > 1:
            raise AllpayError(f"{out} holds several studies, and a front is of one: give one objective")
        front_of_study(only, also, out, workers, scheduler, as_json)
        return
    if len(studies) == 1 and only.samples == 1:
        for option, given in (("--workers", workers), ("--scheduler", scheduler)):
            if given is not None:
                raise AllpayError(
                    f"{option} {given} has no effect on one design, which this process learns: leave it out"
                )
        simulate_study(only, out, as_json)
        return
    if out is not None and tell_finished(out, together(studies), as_json):
        return
    start = time.perf_counter()
    results, files, store = [], [], None
    try:
        with reporting() as reporter, ExitStack() as stack:
            from allpay.files import write
            from allpay.pipeline import check_enough
            from allpay.pipeline import design as find_design
            from allpay.study.batches import designs_per_batch
            from allpay.study.executors import processes_for
            from allpay.study.store import SURROGATE, check_below, open_store
            from allpay.versions import versions

            for name, study in studies.items():
                check_enough(study)
                if out is not None:
                    check_below(out, name)
            if out is not None:
                size = max(designs_per_batch(study) for study in studies.values())
                store = stack.enter_context(open_store(out, together(studies), versions(), size))
                stack.enter_context(Keeping(how_to_go_on(out), store.log))
            for name, study in studies.items():
                folder = None if out is None else store if name == "" else out / name
                here = (processes_for(study) if scheduler is None else 1) if workers is None else workers
                results.append(find_design(study, folder, reporter, workers=here, scheduler=scheduler))
                if out is not None:
                    write(out / name / SURROGATE, results[-1].surrogate.save)
            if out is not None and store is not None:
                files = write_results(results, out, reporter)
                store.log("written: " + ", ".join(Path(f).name for f in files))
    except (KeyboardInterrupt, AllpayError) as error:
        go_on(error, None if store is None else out)
    seconds, single = time.perf_counter() - start, len(results) == 1
    told = _resampled(only, results[0].optimum.design, known) if single and known is not None else None
    how = answered_by(only) if single and known is not None else None
    if as_json:
        values = [result_values(r) for r in results]
        more = {} if told is None else _resampled_values(told)
        more |= {} if how is None else {"answered": how}
        print_json(
            {**values[0], **more, "files": files} if single else {"results": values, "seconds": seconds, "files": files}
        )
        return
    for study in studies.values():
        say_amounts(study)
    if how is not None:
        typer.echo(f"Answered by {how['method']}: {how['why']}.\n")
    typer.echo(summary_of(results))
    if told is not None and known is not None:
        typer.echo(f"\n{_resampled_words(only, known, told)}")
    if files:
        took = "" if single else f"{seconds:.0f} s. "
        typer.echo(f"\n{took}Written to {out}: " + ", ".join(Path(f).name for f in files))


def front_of_study(
    study: "Study",
    also: "tuple[Objective, ...]",
    out: Path | None,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """The Pareto front of a study's objective and others, on stdout and, if one is given, in a folder."""
    store, files = None, list[str]()
    try:
        with reporting() as reporter, ExitStack() as stack:
            from allpay.pareto import pareto
            from allpay.pipeline import check_enough
            from allpay.report.front import front_in_words, front_values
            from allpay.study.batches import designs_per_batch
            from allpay.study.executors import processes_for
            from allpay.study.store import open_store
            from allpay.versions import versions

            check_enough(study)
            if out is not None:
                size = designs_per_batch(study)
                store = stack.enter_context(open_store(out, study.specification(), versions(), size))
                stack.enter_context(Keeping(how_to_go_on(out), store.log))
            here = (processes_for(study) if scheduler is None else 1) if workers is None else workers
            front = pareto(study, also, store, reporter, workers=here, scheduler=scheduler)
            if out is not None and store is not None:
                files = write_front(front, out)
                store.log("written: " + ", ".join(Path(f).name for f in files))
    except (KeyboardInterrupt, AllpayError) as error:
        go_on(error, None if store is None else out)
    if as_json:
        print_json({**front_values(front), "files": files})
        return
    typer.echo(front_in_words(front))
    if files:
        typer.echo(f"\nWritten to {out}: " + ", ".join(Path(f).name for f in files))


def front_by_theory(study: "Study", goals: "tuple[Objective, ...]", out: Path | None, as_json: bool) -> None:
    """The Pareto front of several objectives by the closed form, on stdout and, if one is given, in a folder."""
    from allpay.pareto import pareto_in_theory
    from allpay.report.front import front_in_words, front_values

    assert study.setting is not None
    check_free(out, FRONT_FILES)
    with reporting() as reporter, reporter.stage("looking for the front by theory"):
        front = pareto_in_theory(study.space, study.setting, goals)
    files = []
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        files = write_front(front, out)
    if as_json:
        print_json({**front_values(front), "files": files})
        return
    typer.echo(front_in_words(front))
    if files:
        typer.echo(f"\nWritten to {out}: " + ", ".join(Path(f).name for f in files))


def answered_by(study: "Study") -> dict[str, str]:
    """By which method a question about bidders of an estimate was answered, and why not by theory."""
    from allpay.exact import objective_at

    assert study.setting is not None
    try:
        objective_at(study.space, study.setting, study.objective)
    except AllpayError as error:
        why = str(error).partition(": simulate")[0]
    else:
        why = "--method theory gives the best split of the equilibrium at once"
    return {"method": f"simulation, in which bidders learn ({study.learner.name})", "why": why}


def _resampled(
    study: "Study", design: "Sequence[float]", known: "EstimatedValues | EstimatedGroups"
) -> "tuple[Advice | None, tuple[LastYear, ...] | None]":
    """By theory: the best design of each resample of the data beside the one found, and what that would have brought before."""
    from allpay.estimate.advice import advise_in, last_year, settings_of

    assert study.setting is not None
    with reporting("resamples") as reporter:
        advice = None
        if drawn := settings_of(known, study.setting):
            with reporter.stage("best designs of other draws of the data"):
                advice = advise_in(study.space, drawn, study.objective, design, reporter.advance)
        with reporter.stage("what would have happened in past contests"):
            return advice, last_year(known, study.space, study.setting, design, reporter.advance)


def _resampled_values(found: "tuple[Advice | None, tuple[LastYear, ...] | None]") -> dict[str, Any]:
    """The same for machines."""
    advice, years = found
    return {
        "resamples": None if advice is None else plain(asdict(advice)),
        "last_year": None if years is None else [plain(asdict(year)) for year in years],
    }


def _resampled_words(
    study: "Study",
    known: "EstimatedValues | EstimatedGroups",
    found: "tuple[Advice | None, tuple[LastYear, ...] | None]",
) -> str:
    """The same for people."""
    from allpay.estimate.values import EstimatedValues
    from allpay.report.estimated import cautions, doubts, last_year_in_words

    if against := cautions(known):
        return f"How sure the data make it, and what would have happened last year, is not told. {against[0]}"
    advice, years = found
    drawn = known.draws if isinstance(known, EstimatedValues) else known.parts[0].draws
    sure = [advice_words(study, advice)] if drawn else []
    return "\n\n".join([*doubts(known), *sure, last_year_in_words(years, study.space.bidders)])


def advice_words(study: "Study", advice: "Advice | None") -> str:
    """How far the best design depends on the data, in words."""
    from allpay.report.estimated import advice_in_words

    if advice is None:
        return (
            "How sure the data make it cannot be told: theory has a formula in none of the resamples of your contests."
        )
    ranks = ["the first prize", "the second", "the third", "the fourth", "the fifth"][: study.space.dimension]
    return advice_in_words(advice, ranks)


def design_by_theory(
    study: "Study",
    as_json: bool,
    within: float,
    out: Path | None,
    known: "EstimatedValues | EstimatedGroups | None" = None,
) -> None:
    """The best design by the closed form and those that lose little beside it, on stdout, and in a folder if one is given."""
    from allpay.exact import exact_design
    from allpay.files import write
    from allpay.report.exact import assumed, exact_in_words, exact_told

    assert study.setting is not None
    check_free(out, THEORY_FILES)
    with reporting() as reporter, reporter.stage("looking for the best design by theory"):
        found = exact_design(study.space, study.setting, study.objective, within, study.step)
    if found is None:
        values: dict[str, Any] = {"rule": study.space.rule, "method": "theory", "objective": study.objective}
        values |= dict.fromkeys(("best", "flat", "fraction", "within"))
    else:
        values = found.values() | {"told": exact_told(found, study.money)}
    values |= {"assumed": assumed(study.setting, study.space.bidders)}
    words = exact_in_words(found, study.money)
    if known is not None and found is not None:
        told = _resampled(study, (*found.weights, *(number for _, number, *_ in found.chosen)), known)
        values |= _resampled_values(told)
        words += f"\n{_resampled_words(study, known, told)}"
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write(out / "summary.txt", lambda file: file.write(f"{words}\n".encode()))
        write(out / "theory.json", lambda file: file.write(json.dumps(plain(values), indent=2).encode()))
    if as_json:
        print_json(values)
        return
    typer.echo(words)
    if out is not None:
        typer.echo(f"\nWritten to {out}: summary.txt, theory.json")
