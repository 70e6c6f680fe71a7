"""What commands do with scenarios: compare designs in them, by theory or by learning, and say which loses what where."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from allpay.cli.again import check_free
from allpay.cli.console import plain, print_json, reporting
from allpay.cli.kept import COMPARED, tell_finished
from allpay.cli.results import kept_values, write_results
from allpay.cli.running import MOST_WORKERS, go_on, how_to_go_on
from allpay.cli.several import check_splits
from allpay.cli.stopping import Keeping
from allpay.cli.tables import COMPARISONS, check_table
from allpay.errors import AllpayError

if TYPE_CHECKING:
    from allpay.contest.amounts import Amounts
    from allpay.objectives import Objective
    from allpay.scenarios import Comparison
    from allpay.study import Study
    from allpay.study.scenario import ScenarioStudy

FILES = (*COMPARED, "figure.pdf")
"""What a folder gets of a comparison, beside what machines read."""

THEORY = "theory.json"
"""What machines read of a comparison by theory."""


def in_scenarios(
    study: "Study",
    over: "Mapping[str, Sequence[float]]",
    designs: "Sequence[str]",
    method: str,
    out: Path | None,
    plot: Path | None,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """A study's question in several scenarios, on stdout; as a table in a file, or in a folder; and as a figure in a file.

    Args:
        study: what is asked in each.
        over: the parameters in which scenarios differ, and their values.
        designs: those that are to stand beside the best, as they were written.
        method: `theory` or `surrogate`.
        out: a file, if it has an ending, or a folder.
        plot: where a figure goes.
        workers, scheduler: where bidders learn.
        as_json: whether JSON is wanted on stdout.
    """
    from allpay.report.look import place
    from allpay.scenarios import scenarios_over
    from allpay.study.scenario import ScenarioStudy, with_designs

    if plot is not None:
        place(plot)  # before anything is computed
    table = out if out is not None and (out.suffix or out.is_file()) else None
    check_table(table, COMPARISONS)
    folder = out if table is None else None
    assert study.setting is not None
    check_splits(designs)
    asked = with_designs(ScenarioStudy(study, scenarios_over(over, study.setting, study.space)), designs)
    amounts = given_amounts(study, designs)
    if method == "theory":
        found = scenarios_by_theory(asked, folder, as_json, amounts)
    else:
        learned = run_scenarios(asked, folder, workers, scheduler, as_json, again=plot is not None, amounts=amounts)
        if learned is None:
            return
        found = learned
    if table is not None:
        COMPARISONS[table.suffix](found, table)
        typer.echo(f"allpay: wrote {table}", err=True)
    if plot is not None:
        from allpay.report.scenarios import draw_comparison

        typer.echo(f"allpay: wrote {draw_comparison(found, plot, amounts=amounts)[0]}", err=True)


def given_amounts(study: "Study", designs: "Sequence[str]") -> "Amounts | None":
    """In which unit designs are told: that in which one was given in money, percent or fractions, if all that were have the
    same unit and purse."""
    found = [amounts for each in designs if (amounts := study.space.amounts(each)) is not None]
    same = len({(amounts.unit, amounts.total, amounts.currency) for amounts in found}) == 1
    return found[0] if same else None


def scenarios_by_theory(
    asked: "ScenarioStudy", out: Path | None, as_json: bool, amounts: "Amounts | None" = None
) -> "Comparison":
    """Designs in scenarios by theory, on stdout and, if one is given, in a folder."""
    from allpay.files import write
    from allpay.report.scenarios import comparison_values
    from allpay.scenarios import compare

    check_free(out, {*FILES, THEORY})
    study = asked.study
    with reporting("scenarios") as reporter, reporter.stage("looking for the best designs by theory"):
        found = compare(asked.given, asked.scenarios, study.setting, study.space, study.objective, reporter.advance)
    values, files = plain(comparison_values(found, amounts)), list[str]()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        files = write_comparison(found, out, amounts)
        write(out / THEORY, lambda file: file.write(json.dumps(values, indent=2).encode()))
        files.append(str(out / THEORY))
    tell_comparison(found, values, files, as_json, amounts)
    return found


def write_comparison(found: "Comparison", out: Path, amounts: "Amounts | None") -> list[str]:
    """A comparison in words, as a table and as a figure, into a folder; the files that were written."""
    from allpay.files import write
    from allpay.report.scenarios import comparison_in_words, draw_comparison

    write(out / "summary.txt", lambda file: file.write(f"{comparison_in_words(found, amounts)}\n".encode()))
    write(out / "losses.csv", found.table.write_csv)
    write(out / "losses.parquet", found.table.write_parquet)
    draw_comparison(found, out / "figure.png", out / "figure.pdf", amounts=amounts)
    return [str(out / name) for name in FILES]


def tell_comparison(
    found: "Comparison", values: dict[str, Any], files: list[str], as_json: bool, amounts: "Amounts | None"
) -> None:
    """A comparison on stdout."""
    from allpay.report.scenarios import comparison_in_words

    if as_json:
        print_json({**values, "files": files})
        return
    typer.echo(comparison_in_words(found, amounts))
    if files:
        typer.echo(f"\nWritten to {Path(files[0]).parent}: " + ", ".join(Path(file).name for file in files))


def run_scenarios(
    asked: "ScenarioStudy",
    out: Path | None,
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
    again: bool = False,
    amounts: "Amounts | None" = None,
) -> "Comparison | None":
    """Designs in scenarios by learning, on stdout and, if one is given, in a folder.

    Where the folder has the answer already, that is told, and None returned; unless all of it is wanted again, from the rounds
    that are there.
    """
    from allpay.learners.base import check_count

    if workers is not None:
        check_count("workers", workers, most=MOST_WORKERS)
    specification = asked.specification()
    if out is not None and not again and tell_finished(out, specification, as_json):
        return None
    store, files = None, list[str]()
    try:
        with reporting() as reporter, ExitStack() as stack:
            from allpay.files import write
            from allpay.rehearsal import rehearse
            from allpay.report.scenarios import comparison_values
            from allpay.report.words import collected
            from allpay.study.executors import processes_for
            from allpay.study.store import RESULT, SURROGATE, check_below, open_store
            from allpay.versions import versions

            studies = asked.studies()
            if out is not None:
                for name in studies:
                    check_below(out, name)
                store = stack.enter_context(open_store(out, specification, versions()))
                stack.enter_context(Keeping(how_to_go_on(out), store.log))
            first = next(iter(studies.values()))
            here = (processes_for(first) if scheduler is None else 1) if workers is None else workers
            found = rehearse(asked, out, reporter, workers=here, scheduler=scheduler)
            values = plain(comparison_values(found.comparison, amounts))
            if out is not None and store is not None:
                for name, result in zip(studies, found.results, strict=True):
                    write(out / name / SURROGATE, result.surrogate.save)
                    with collected():  # tables of each scenario are its folder's, not the answer's
                        write_results([result], out / name, reporter)
                files = [*write_comparison(found.comparison, out, amounts), str(out / RESULT)]
                held = {
                    "versions": versions(),
                    "results": [kept_values(result) for result in found.results],
                    "comparison": values,
                    "scenarios": specification["scenarios"],
                }
                # last, for it says that the study is finished
                write(out / RESULT, lambda file: file.write(json.dumps(plain(held), indent=2).encode()))
                store.log("written: " + ", ".join(Path(file).name for file in files))
    except (KeyboardInterrupt, AllpayError) as error:
        go_on(error, None if store is None else out)
    tell_comparison(found.comparison, values, files, as_json, amounts)
    return found.comparison


def compare_again(
    folder: Path,
    goals: "tuple[Objective, ...]",
    workers: int | None,
    scheduler: str | None,
    trust: bool,
    as_json: bool,
) -> bool:
    """Which designs of the scenarios in a folder are best by another objective; False if the folder holds no scenarios."""
    from allpay.study.file import scenarios_of
    from allpay.study.store import read_folder

    asked = scenarios_of(read_folder(folder).specification, trust)
    if asked is None:
        return False
    if len(goals) > 1:
        raise AllpayError(f"{folder} holds scenarios, and a front is of one study: give one objective")
    if goals:
        asked = replace(asked, study=replace(asked.study, objective=goals[0].text))
    run_scenarios(asked, folder, workers, scheduler, as_json)
    return True
