"""The blocks of the pages, run as a reader runs them: a page in a folder of its own, from top to bottom, so that a block may
use what earlier ones made. What they print must be what the page says.

The tests run all that is quick. `python .ci/run_docs.py` runs the rest too, but for what stands in `LEFT_OUT`, with the reason.
"""

import contextlib
import io
import os
import re
import runpy
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from typer.testing import CliRunner

from allpay.cli import app
from allpay.study.file import read_file

ROOT = Path(__file__).parents[1]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

LEFT_OUT = {
    "make demo": "it sets everything up from the package index",
    "make test": "it is what runs this",
    "pip install": "it installs packages",
    "allpay app": "it serves until it is stopped; tests/test_app_browser.py drives it in a browser",
    "dask ": "it needs several machines; tests/test_executors.py runs a scheduler and workers on one",
    "--scheduler": "it needs a scheduler on another machine; tests/test_executors.py has one on this",
    "DASK_DISTRIBUTED": "it needs the keys of a cluster; tests/test_tls.py makes some",
    "slurm.py study.toml --jobs": "it needs a cluster with SLURM; tests/test_cluster_example.py runs it without",
}
"""Lines that contain this are not run, and why."""

SMALLER = {
    "allpay reproduce": ("--samples 6 --rounds 2", "with all learners it takes three quarters of an hour as it stands"),
    r"allpay design (?!my-study)(?!.*--method theory)": (
        "--samples 8",
        "half a minute to some minutes each as they stand",
    ),
}
"""Commands that begin like this are run with these options added, and why; but not where the page shows what is printed."""

SLOW = (
    r"allpay (reproduce|verify|resume|status|export|bundle|report|fit|estimate)\b",
    r"allpay run (?!.*--method theory)",
    r"allpay design (?!.*(--method theory|--learner examples))",
    r"--first-at-most|2500x8|--values-from|allpay\.design|fit_behaviour|optuna|deep_mind_example|(study|results|results-common)/",
)
"""Lines, and Python blocks, in which this is found are run by the whole run alone."""

LIBRARIES = {
    "torch",
    "stable_baselines3",
    "pettingzoo",
    "gymnasium",
    "pyspiel",
    "open_spiel",
    "optuna",
    "duckdb",
    "pandas",
}
"""What blocks may import that not every reader has; a block is left out where it is missing."""

PAST = "allpay simulate --weights 1000,600,400 --bidders 5 --distribution 'beta(2,3)' --contests 99 --out past.csv"
LAB = "allpay simulate --weights 1 --bidders 2 --values common --contests 60 --out lab.csv"
STUDY = "allpay init study.toml"

BEFORE = {
    "README.md": (PAST, LAB),
    "cluster.md": (STUDY,),
    "estimating.md": (LAB,),
    "past-contests.md": (PAST,),
    "report.md": (
        "allpay design --samples 6 --rounds 2 --iterations 200 --value-levels 8 --bid-levels 21 --out my-study",
    ),
}
"""What the reader of a page has already: made before its first block."""

FILES = {"report.md": {"journal.mplstyle": "font.family: serif\n"}}
"""The same of files that no command makes."""

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

SECONDS = re.compile(r"\b\d+(\.\d+)? s\b")

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its lines, the line of the page where it begins, the text block that follows it, if there
    is one, and of a study file its name: that which the next command runs."""

    language: str
    code: str
    line: int
    printed: str | None = None
    name: str = "page.toml"


@dataclass
class Reader:
    """Somebody who tries a page out in an empty folder. `whole` says whether also what is slow."""

    page: Path
    folder: Path
    whole: bool = False
    names: ModuleType = field(default_factory=lambda: ModuleType("page"))
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for part in ("examples", "mechanism_design"):
            shutil.copytree(ROOT / part, self.folder / part, ignore=shutil.ignore_patterns("__pycache__"))

    @contextlib.contextmanager
    def there(self) -> Iterator[None]:
        """In the folder, where what a page defines can be found again, as workers and pickles need."""
        sys.modules["page"] = self.names
        try:
            with contextlib.chdir(self.folder):
                yield
        finally:
            del sys.modules["page"]

    def prepare(self) -> None:
        with self.there(), contextlib.redirect_stdout(io.StringIO()):
            for name, text in FILES.get(self.page.name, {}).items():
                Path(name).write_text(text, encoding="utf-8")
            for line in BEFORE.get(self.page.name, ()):
                _program(*shlex.split(line))

    def read(self, block: Block) -> str:
        """Run a block and compare what it prints with the page; returns what it printed."""
        passed_over = len(self.left_out)
        output = io.StringIO()
        with self.there(), contextlib.redirect_stdout(output), self._without_libraries(block):
            if block.language == "toml":
                Path(block.name).write_text(block.code, encoding="utf-8")
                read_file(Path(block.name))
            elif block.language == "python":
                if not self._passed_over(block.code):
                    exec(compile(block.code, str(self.page), "exec"), vars(self.names))
            else:
                assert block.language == "sh", f"no way is known to run a block of {block.language or 'no language'}"
                for line in lines_of(block):
                    if not self._passed_over(line):
                        _program(*shlex.split(line), *self._fewer(line, block))
        if block.printed is not None and len(self.left_out) == passed_over:
            assert_printed(block.printed, output.getvalue())
        return output.getvalue()

    @contextlib.contextmanager
    def _without_libraries(self, block: Block) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError as missing:
            if (missing.name or "").split(".")[0] not in LIBRARIES:
                raise
            self.left_out.append((block.code, f"{missing.name} is not installed"))

    def _passed_over(self, code: str) -> bool:
        why = next((why for part, why in LEFT_OUT.items() if part in code), None)
        if why is None and not self.whole and any(re.search(part, code) for part in SLOW):
            why = "slow"
        if why is not None:
            self.left_out.append((code, why))
        return why is not None

    def _fewer(self, line: str, block: Block) -> list[str]:
        """The options that make a command smaller."""
        added = [options for part, (options, _) in SMALLER.items() if block.printed is None and re.match(part, line)]
        return " ".join(added).split()


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for fence in FENCE.finditer(text):
        language, code = fence[2], textwrap.dedent(fence[3])
        if language == "text":
            found[-1] = Block(found[-1].language, found[-1].code, found[-1].line, code)
            continue
        follows = FENCE.search(text, fence.end())
        runs = re.search(r"allpay run (\w+\.toml)", follows[3]) if follows else None
        found.append(
            Block(language, code, text.count("\n", 0, fence.start()) + 1, None, runs[1] if runs else Block.name)
        )
    return found


def lines_of(block: Block) -> list[str]:
    """The commands of a block: lines that are continued are joined, and what is said beside them is left out."""
    joined = re.sub(r"\\\n", " ", block.code)
    return [line for whole in joined.splitlines() if (line := re.sub(r"(^|\s)#.*", "", whole).strip())]


def _program(name: str, *arguments: str) -> None:
    """Programs run in this process, as they would in one of their own, for libraries take longer to load than the examples to
    run."""
    if name == "cd":
        os.chdir(arguments[0])
    elif name == "allpay":
        done = CliRunner().invoke(app, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.stderr
        print(done.stdout)
    else:
        assert name == "python", f"no way is known to run {name!r}"
        before, sys.argv = sys.argv, [*arguments]
        try:
            runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                raise AssertionError(f"{arguments[0]} ends with {ended.code}") from None
        finally:
            sys.argv = before


def assert_printed(expected: str, output: str) -> None:
    """Every line of a page appears in the output, in that order and with the same words; numbers may differ a little, as they
    do between machines. A line of one … stands for any lines between."""
    lines = iter(output.splitlines())
    anywhere = True
    for line in expected.splitlines():
        if line == "…":
            anywhere = True
            continue
        for found in lines:
            if alike(line, found):
                break
            assert anywhere, f"the page says {line!r}, and the program {found!r}"
        else:
            raise AssertionError(f"the page says {line!r}, and the program does not: {output}")
        anywhere = False


def alike(one: str, other: str) -> bool:
    """Whether lines have the same words, and nearly the same numbers; how long something took may differ."""
    one, other = SECONDS.sub("… s", one), SECONDS.sub("… s", other)
    if NUMBER.split(one) != NUMBER.split(other):
        return False
    numbers = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= 0.005 + 0.02 * abs(float(a)) for a, b in numbers)
