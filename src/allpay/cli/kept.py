"""What a study's folder holds already: how far it is, and the answer of one that is finished. Nothing is computed here."""

import json
from pathlib import Path
from typing import Any

import typer

from allpay.cli.console import print_json
from allpay.cli.results import ONLY_KEPT
from allpay.errors import AllpayError, printable
from allpay.files import in_shell, read_text

COMPARED = ("summary.txt", "losses.csv", "losses.parquet", "figure.png")
"""What the folder of a comparison in scenarios has, beside the folders of its studies."""

OPTIONAL = {"rounds.csv", "bids.parquet", "bids.csv", "references.json"}
"""What a finished study may lack: rows too many for a text, bids that were not kept, what an older allpay had not."""

MOST_TEXT = 100_000_000
"""Bytes that a stored answer may have."""


def states_of(folder: Path, specification: dict[str, Any]) -> list[dict[str, Any]]:
    """How far each study of a folder is; `complete` says whether all that it needs has been learned."""
    from allpay.study.received import outlines_of
    from allpay.study.store import check_below
    from allpay.study.sweep import found_in, read, verdicts

    states: list[dict[str, Any]] = []
    for name, study in outlines_of(specification).items():
        check_below(folder, name)
        found, store = found_in(study, folder / name)
        states.append(
            {
                "rule": study.rule,
                "learner": study.learner,
                "designs": found.designs,
                "samples": study.samples,
                "active": study.active,
                "rounds": study.rounds,
                "batches": len(found.computed),
                "damaged": found.damaged,
                "foreign": [path.name for path in found.foreign],
                "verdicts": verdicts(read(store, found.computed)) if found.computed else {},
                # an active study may need fewer than all
                "complete": not found.damaged and (found.designs == study.samples or study.active),
            }
        )
    return states


def tell_finished(folder: Path, specification: dict[str, Any] | None, as_json: bool) -> bool:
    """Show the stored answer of a study that is finished, on stdout; False if there is something to do.

    Args:
        folder: the study's.
        specification: of the study that is asked for; None for any that the folder holds.
        as_json: whether the answer is shown as JSON.

    Raises:
        AllpayError: if something in the folder is a link, or no study can be read in it.
    """
    from allpay.report.look import PLAIN, current
    from allpay.report.words import collecting
    from allpay.study.received import without_objective
    from allpay.study.store import RESULT, holds_study, in_use, is_whole, read_folder, result_is_there

    if current() != PLAIN or collecting():  # figures are wanted that look otherwise, or tables alone
        return False
    if not (holds_study(folder) and result_is_there(folder)) or in_use(folder):
        return False
    held = read_folder(folder)
    if not is_whole(folder, held):
        return False
    if specification is not None and without_objective(held.specification) != without_objective(specification):
        return False
    states = states_of(folder, held.specification)
    if not all(state["complete"] and not state["foreign"] for state in states):
        return False
    compared = "scenarios" in held.specification
    one = len(states) == 1 and states[0]["samples"] == 1
    tables = ["rounds.parquet", "rounds.csv", "bids.parquet", "bids.csv"]
    tables += [] if one else ["designs.csv", "references.json"]
    files = [*(COMPARED if compared else ("summary.txt", *tables, "figure.png")), RESULT, "figure.pdf"]
    there = [name for name in files if (folder / name).is_file()]
    if not set(files) - OPTIONAL <= set(there):
        typer.echo(f"allpay: all rounds of {folder} have been learned: its answer is computed from them", err=True)
        return False
    try:
        kept = json.loads(read_text(folder / RESULT, MOST_TEXT))
        results, comparison = kept["results"], dict(kept["comparison"]) if compared else {}
        if specification is not None and not _answers(results, specification):
            return False
        if specification is not None and kept.get("scenarios") != specification.get("scenarios"):
            return False
        values = [{key: value for key, value in result.items() if key not in ONLY_KEPT} for result in results]
        summary = read_text(folder / "summary.txt", MOST_TEXT)
    except AllpayError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False  # what is damaged is written again
    typer.echo(
        f"allpay: the study in {folder} is finished: this is its stored answer, and nothing is computed again", err=True
    )
    if not as_json:
        typer.echo(printable(summary), nl=False)
        return True
    written = {} if one else {"files": [str(folder / name) for name in there]}
    if compared:
        print_json({**comparison, **written})
        return True
    several = {"results": values, "seconds": sum(result.get("seconds", 0) for result in values)}
    print_json({**(values[0] if len(values) == 1 else several), **written})
    return True


def _answers(results: list[dict[str, Any]], specification: dict[str, Any]) -> bool:
    """Whether stored results are about the objectives that are asked for; not of functions, whose code may have changed."""
    from allpay.objectives import objective
    from allpay.study.received import parted

    asked = [study["objective"] for study in parted(specification).values()]
    if any(objective(text).codes for text in asked):
        return False
    return [result["specification"]["objective"] for result in results] == asked


def _named(specification: dict[str, Any]) -> dict[str, str]:
    """What a file calls its experiments, by their folders."""
    from allpay.study.received import parted

    held = specification.get("experiments")
    each = held.get("each") if isinstance(held, dict) else None
    names = [one.get("name") for one in each if isinstance(one, dict)] if isinstance(each, list) else []
    return {
        folder: f" ({printable(name)[:60]})"
        for folder, name in zip(parted(specification), names, strict=False)
        if isinstance(name, str)
    }


def tell_state(folder: Path, as_json: bool) -> None:
    """Say how far the study in a folder is, on stdout."""
    from allpay.study.received import parted
    from allpay.study.store import in_use, read_folder, result_is_there

    specification = read_folder(folder).specification
    running = in_use(folder)
    states = states_of(folder, specification)
    finished = all(state.pop("complete") for state in states) and result_is_there(folder)
    if as_json:
        several = {"studies": states} if len(states) > 1 else states[0]
        print_json({**several, "running": running, "finished": finished})
        return
    named = _named(specification)
    for name, s in zip(parted(specification), states, strict=True):
        of = f"of {'at most ' if s['active'] else ''}{s['samples']}"
        which = (
            f"{printable(name)}{named.get(name, '')}: " if specification.keys() & {"scenarios", "experiments"} else ""
        )
        typer.echo(
            f"{which}{printable(s['rule'])}, {printable(s['learner'])}: {s['designs']} {of} designs × {s['rounds']} rounds"
        )
        if s["verdicts"]:
            typer.echo("runs: " + ", ".join(f"{count} {verdict}" for verdict, count in s["verdicts"].items()))
        if s["damaged"]:
            typer.echo(f"damaged batches, which will be run again: {', '.join(map(str, s['damaged']))}")
        if s["foreign"]:
            typer.echo(
                f"files of no batch of this study, which will be set aside: {printable(', '.join(s['foreign']))}"
            )
    if running:
        typer.echo("a process is running it now")
    elif finished:
        typer.echo(f"finished: see {folder / 'summary.txt'}")
    else:
        typer.echo(f"not finished: allpay resume {in_shell(folder)}")
