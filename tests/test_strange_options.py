"""At least 500 strange values, made from the declared options, thrown at the command line: one line, or a result."""

import importlib
import itertools
import random
import re
import shutil
import sys
from pathlib import Path

import pytest
import typer.main

import allpay
import strange
from allpay.cli import app, main

PACKAGE = Path(allpay.__file__).parent

COMMANDS = typer.main.get_command(app).commands
ENOUGH = {
    "simulate": ["--weights", "0.8"],
    "design": [],
    "equilibrium": ["--weights", "0.8"],
    "reproduce": [],
    "verify": [],
}
"""What each command that computes needs, beside the option that is tried."""

NAMES = {
    "max_bid": ("max bid", "max_bid", "utilit", "grid"),
    "cost_power": ("cost power", "cost_power"),
    "distribution": (
        "distribution",
        "values",
        "value levels",
        "uniform",
        "beta",
        "power",
        "lognormal",
        "steps",
        "integers",
    ),
    "prizes": ("prizes", "ranks"),
    "learners": ("learner",),
    "objective": ("objective",),
    "values": ("kind of values", "values"),
    "samples": ("samples",),
    "first_at_most": ("first_at_most", "first weight"),
    "first_at_least": ("first_at_least", "first weight"),
    "at_least": ("at_least", "bounds on the weights"),
    "last_at_least": ("last_at_least", "last"),
    "weights": ("weight", " w "),
}
"""The words by which lines name an option, where that is not its own name."""


WORK = [
    ("allpay.study.sweep", "learn_one"),
    ("allpay.pipeline", "design"),
    ("allpay.exact", "best_in_theory"),
    ("allpay.verify", "verify"),
    ("allpay.theory", "equilibrium"),
]
"""Where work begins: by these functions, in whatever module they are."""

HOLDERS = [
    f"allpay.{path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')}"
    for path in sorted(PACKAGE.rglob("*.py"))
    if re.search(
        rf"^from (?:{'|'.join(home for home, _ in WORK)}) import ", path.read_text(encoding="utf-8"), re.MULTILINE
    )
    and "adapters" not in path.parts
]


class Reached(Exception):
    """The input was taken: here work would begin."""


def stop(*_, **__):
    raise Reached


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """Run the program on a line, up to where bidders would learn: the status, or None if it got there, and what was said."""
    monkeypatch.chdir(tmp_path)
    for name in HOLDERS:  # before anything is replaced: what they import now they keep
        importlib.import_module(name)
    for home, name in WORK:
        work = getattr(importlib.import_module(home), name)
        for module in [module for title, module in sys.modules.items() if title.startswith("allpay.")]:
            if vars(module).get(name) is work:
                monkeypatch.setattr(module, name, stop)

    def run(*line):
        shutil.rmtree("allpay-reproduce", ignore_errors=True)  # of a line before, which got as far as to make it
        monkeypatch.setattr(sys, "argv", ["allpay", *line])
        try:
            main()
        except Reached:
            status = None
        except SystemExit as end:
            status = end.code
        except Exception as error:  # a user would see a traceback
            return 1, "", f"{capsys.readouterr().err}{error!r} at {error.__traceback__.tb_next}"
        return status, *capsys.readouterr()

    return run


def options():
    """Every option that takes a value, with its command; drawing and writing are tried elsewhere."""
    for command, needed in ENOUGH.items():
        for option in COMMANDS[command].params:
            takes = option.opts[0].startswith("--") and not getattr(option, "is_flag", False)
            if takes and option.name not in {"out", "markdown", "plot", "scheduler"}:
                yield command, option, needed


def test_every_value_of_every_option_is_taken_or_refused_in_one_line(told):
    tried, faults = 0, []
    stream = strange.values(seed=1)
    rng = random.Random(1)
    every = list(options())
    chosen = [*every, *(rng.choice(every) for _ in range(520 - len(every)))]
    for command, option, needed in chosen:
        value = next(stream)
        line = [command, *([] if option.opts[0] in needed else needed), option.opts[0], value]
        status, out, err = told(*line)
        tried += 1
        if status is None or (status == 0 and not err):
            continue
        fault = strange.fault_of(err)
        names = (option.name, option.name.replace("_", "-"), option.name.replace("_", " "), *NAMES.get(option.name, ()))
        if not fault and status != 2:
            fault = f"status {status}"
        if not fault and out:
            fault = "something on stdout"
        if not fault and not any(name in err for name in names):
            fault = "it does not name the option"
        if fault:
            faults.append((fault, [word[:60] for word in line], err[:400]))
    assert tried >= 500
    assert not faults, "\n".join(map(str, faults[:20]))


def test_pairs_of_options_are_taken_or_refused_in_one_line(told):
    stream = strange.values(seed=2)
    rng = random.Random(2)
    faults = []
    for _ in range(120):
        command, one, needed = rng.choice(list(options()))
        other = rng.choice([option for name, option, _ in options() if name == command])
        line = [command, *needed, one.opts[0], next(stream), other.opts[0], next(stream)]
        status, _, err = told(*line)
        fault = "" if status is None or (status == 0 and not err) else strange.fault_of(err)
        if fault or status not in {None, 0, 2}:
            faults.append((fault, status, [word[:60] for word in line], err[:400]))
    assert not faults, "\n".join(map(str, faults[:20]))


def test_places_are_taken_or_refused_in_one_line(told, tmp_path):
    (tmp_path / "file").write_text("")
    places = ["", ".", "file", "file/below", "a" * 300, "b/" * 3000, "line\nbreak", "\x1b[31m", "none/below/none"]
    lines = [[command, place] for command in ("run", "resume", "status", "export", "init") for place in places]
    lines += [["verify", "--markdown", place] for place in places]
    lines += [["export", "none", "--format", value] for value in itertools.islice(strange.values(3), 20)]
    lines += [[word] for word in itertools.islice(strange.values(4), 20) if word and not word.startswith("-")]
    faults = []
    for line in lines:
        status, _, err = told(*line)
        if status is None or status == 0:
            continue
        fault = strange.fault_of(err) or ("" if status in {1, 2} else f"status {status}")
        if fault:
            faults.append((fault, [word[:60] for word in line], err[:400]))
    assert not faults, "\n".join(map(str, faults[:20]))
