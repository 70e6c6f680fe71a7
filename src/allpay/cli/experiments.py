"""What commands do with experiments: learn each, and lay them over each other in one table and one figure."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from allpay.cli.console import plain, print_json, reporting
from allpay.cli.kept import tell_finished
from allpay.cli.results import write_bids
from allpay.cli.running import MOST_WORKERS, go_on, how_to_go_on
from allpay.cli.stopping import Keeping
from allpay.errors import AllpayError

if TYPE_CHECKING:
    from allpay.study.experiment import ExperimentStudy


def run_experiments(
    asked: "ExperimentStudy", out: Path, workers: int | None, scheduler: str | None, as_json: bool
) -> None:
    """Experiments on stdout and in a folder; where that has the answer already, it is told."""
    from allpay.learners.base import check_count

    if workers is not None:
        check_count("workers", workers, most=MOST_WORKERS)
    specification = asked.specification()
    if tell_finished(out, specification, as_json):
        return
    store = None
    try:
        with reporting("experiments") as reporter, ExitStack() as stack:
            import polars as pl

            from allpay.files import write
            from allpay.report import beside
            from allpay.report.experiments import (
                draw_experiments,
                experiments_in_words,
                experiments_table,
                experiments_told,
                seen_in,
            )
            from allpay.study import run
            from allpay.study.executors import processes_for
            from allpay.study.store import RESULT, check_below, open_store
            from allpay.versions import versions

            studies = asked.studies()
            for name in studies:
                check_below(out, name)
            store = stack.enter_context(open_store(out, specification, versions()))
            stack.enter_context(Keeping(how_to_go_on(out), store.log))
            sweeps = []
            for (name, study), each in zip(studies.items(), asked.experiments, strict=True):
                here = (processes_for(study) if scheduler is None else 1) if workers is None else workers
                with reporter.stage(f"{each.name}, {each.learner.name}: bidders learn"):
                    sweeps.append(run(study, out / name, reporter.advance, workers=here, scheduler=scheduler))
            seen = seen_in(asked, sweeps)
            table, text = experiments_table(asked, seen), experiments_in_words(asked, seen)
            rounds = pl.concat(
                [
                    sweep.table.select(
                        pl.lit(each.name).alias("experiment"), pl.lit(each.learner.name).alias("learner"), pl.all()
                    )
                    for each, sweep in zip(asked.experiments, sweeps, strict=True)
                ],
                how="diagonal",
            )
            write(out / "rounds.parquet", rounds.write_parquet)
            write(out / "rounds.csv", rounds.write_csv)
            files = ["rounds.parquet", "rounds.csv", *write_bids(sweeps, out)]
            write(out / "designs.csv", table.write_csv)
            write(out / "summary.txt", lambda file: file.write(f"{text}\n".encode()))
            told = plain(beside.kept(experiments_told(asked, seen)))
            write(out / beside.FILE, lambda file: file.write(json.dumps(told).encode()))
            draw_experiments(asked, seen, out / "figure.png", out / "figure.pdf")
            files = ["summary.txt", "designs.csv", "figure.png", "figure.pdf", *files, beside.FILE, RESULT]
            rows = table.to_dicts()
            results = [
                {
                    "experiment": each.name,
                    "learner": each.learner.name,
                    "objective": study.objective,
                    "designs": rows[k * len(study.designs) : (k + 1) * len(study.designs)],
                    "specification": study.specification(),
                }
                for k, (each, study) in enumerate(zip(asked.experiments, studies.values(), strict=True))
            ]
            held: dict[str, Any] = {
                "versions": versions(),
                "results": results,
                "experiments": specification["experiments"],
            }
            held["grid"] = {"bid_levels": seen[0].game.bid_levels, "top": asked.top}
            # last, for it says that the study is finished
            write(out / RESULT, lambda file: file.write(json.dumps(plain(held), indent=2).encode()))
            store.log("written: " + ", ".join(files))
    except (KeyboardInterrupt, AllpayError) as error:
        go_on(error, None if store is None else out)
    if as_json:
        values: list[dict[str, Any]] = [{k: v for k, v in result.items() if k != "specification"} for result in results]
        print_json({"results": values, "files": [str(out / name) for name in files]})
    else:
        typer.echo(f"{text}\n\nWritten to {out}: {', '.join(files)}")
