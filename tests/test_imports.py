"""The order of the floors: no module imports from a higher one, and `import allpay` costs nothing."""

import ast
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import allpay

SOURCE = Path(allpay.__file__).parent

FLOORS = [
    {
        "compiled",
        "cores",
        "devices",
        "errors",
        "files",
        "frozen",
        "memory",
        "named",
        "precision",
        "programs",
        "progress",
        "scalars",
        "versions",
    },
    {"contest", "simplex", "bounded", "concave"},
    {"objectives"},
    {"theory"},
    {"outcome", "learners"},
    {"study"},
    {"simulation"},
    {
        "estimate",
        "surrogate",
        "training",
        "evidence",
        "ascent",
        "optimum",
        "acquisition",
        "pareto",
        "pipeline",
        "judgement",
        "exact",
        "statics",
        "scenarios",
        "rehearsal",
        "references",
        "rounding",
        "verify",
    },
    {"report"},
    {"app"},
    {"cli", "adapters"},
]
"""The rooms of each floor, the ground floor first."""

CONTEST = [
    {"amounts", "success", "attendance", "attitudes", "preferences", "ranking", "values"},
    {"mechanism", "bidder"},
    {"game"},
    {"payoffs"},
    {"auction", "measures"},
]
"""The same within `allpay.contest`."""

ROOT = {"", "__init__", "__main__"}
"""The package itself: it may lead anywhere, but only from within functions."""

ONLY = {
    "surrogate": {"errors", "files", "frozen", "training"},
    "training": {"precision"},
    "simplex": {"errors", "frozen", "memory", "scalars"},
    "bounded": {"errors", "frozen", "memory", "scalars", "simplex"},
    "concave": {"errors"},
    "ascent": {"bounded", "errors", "frozen", "simplex"},
    "evidence": {"errors", "simplex"},
    "optimum": {"bounded", "errors", "evidence", "frozen", "scalars", "simplex", "surrogate", "ascent"},
    "acquisition": {"errors", "evidence", "simplex", "ascent"},
}
"""Rooms that know numbers, not auctions: all that they may import."""


@cache
def modules() -> dict[str, str]:
    """The source of every module, by its dotted name below allpay."""
    names = {
        path: path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".") for path in SOURCE.rglob("*.py")
    }
    return {name: path.read_text(encoding="utf-8") for path, name in names.items()}


def floor(room: str, floors: list[set[str]] = FLOORS) -> int:
    for number, rooms in enumerate(floors):
        if room in rooms:
            return number
    raise AssertionError(f"{room} has no floor: add it to the lists in {Path(__file__).name}")


def rooms_imported(tree: ast.AST, package: list[str], house: str = "allpay") -> set[str]:
    """The rooms of a package, of allpay if no other is named, that a module imports, wherever in it.

    The module's own package is `package`, as `["allpay", "learners"]`.
    """
    found = set()
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{origin}.{alias.name}" if origin == house else origin for alias in node.names]
        found.update(name[len(house) + 1 :].split(".")[0] for name in names if name.startswith(f"{house}."))
    return found


def at_import(source: str) -> ast.Module:
    """What runs when a module is imported: all but the bodies of its functions, and what only type checkers read."""

    class Prune(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

        visit_AsyncFunctionDef = visit_FunctionDef

        def visit_If(self, node):
            return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)

    return Prune().visit(ast.parse(source))


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_run_downwards(name):
    room, package = name.split(".")[0], ["allpay", *name.split(".")[:-1]]
    if room in ROOT:
        assert not rooms_imported(at_import(modules()[name]), package), "the package itself imports rooms at once"
        return
    for other in rooms_imported(ast.parse(modules()[name]), package) - ROOT:
        down = floor(other) <= floor(room)
        assert down, f"allpay.{name} imports allpay.{other}, which is on a higher floor"
        assert other in ONLY.get(room, {other}) or other == room, f"allpay.{name} may not import allpay.{other}"


@pytest.mark.parametrize("room", sorted(set().union(*CONTEST)))
def test_imports_within_a_contest_run_downwards(room):
    tree = ast.parse(modules()[f"contest.{room}"])
    for other in rooms_imported(tree, ["allpay", "contest"], "allpay.contest"):
        assert other == room or floor(other, CONTEST) < floor(room, CONTEST), f"{room} imports {other}"


def test_every_room_of_a_contest_has_a_floor():
    rooms = {name.split(".")[1] for name in modules() if name.startswith("contest.")}
    assert rooms == set().union(*CONTEST) | {"__init__"}


def test_the_checker_sees_every_form_of_import():
    source = """
import allpay.cli
from allpay import study
from allpay.report.figure import draw
from .base import learn
from ..surrogate import Surrogate
from .. import optimum
import numpy
def f():
    from allpay.ascent import ascend
"""
    every = {"cli", "study", "report", "learners", "surrogate", "optimum"}
    assert rooms_imported(ast.parse(source), ["allpay", "learners"]) == every | {"ascent"}
    assert rooms_imported(at_import(source), ["allpay", "learners"]) == every


def test_nothing_needs_the_adapters():
    for name, source in modules().items():
        if name.split(".")[0] != "adapters":
            assert "adapters" not in rooms_imported(ast.parse(source), ["allpay", *name.split(".")[:-1]]), name


@pytest.mark.parametrize(
    ("adapter", "library", "extra"),
    [
        ("pettingzoo", "pettingzoo", "allpay[pettingzoo]"),
        ("gymnasium", "gymnasium", "allpay[gymnasium]"),
        ("stable_baselines3", "stable_baselines3", "stable-baselines3"),
    ],
)
def test_an_adapter_without_its_library_says_what_to_install(adapter, library, extra, monkeypatch):
    for name in [library, *(name for name in sys.modules if name.startswith(f"{library}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"allpay.adapters.{adapter}", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"install .* with pip install") as error:
        import_module(f"allpay.adapters.{adapter}")
    assert extra in str(error.value)


def test_what_needs_no_openspiel_does_without_it(monkeypatch):
    for name in ("pyspiel", "open_spiel"):
        for loaded in [name, *(other for other in sys.modules if other.startswith(f"{name}."))]:
            monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.delitem(sys.modules, "allpay.adapters.openspiel", raising=False)
    from allpay.adapters import openspiel

    game = allpay.Game.from_weights("prizes", 0.8, 2, values="common", bid_levels=3)
    assert openspiel.payoff_tensors(game).shape == (2, 3, 3)
    assert openspiel.gambit(game).startswith("EFG 2 R")
    for needs_it in (
        openspiel.normal_form,
        openspiel.extensive_form,
        lambda g: openspiel.policy_of_strategy(g, None, None),
    ):
        how = r"install OpenSpiel \(the extra allpay\[openspiel\]\) with pip install 'allpay-auctions\[openspiel\]'"
        with pytest.raises(ModuleNotFoundError, match=how):
            needs_it(game)


def test_rooms_that_exist_have_one_floor_each():
    rooms = [room for rooms in FLOORS for room in rooms]
    assert len(rooms) == len(set(rooms))
    for name in modules():
        room = name.split(".")[0]
        assert room in ROOT or floor(room) >= 0


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["jax", "numba", "matplotlib", "polars", "scipy", "equinox", "optax"]
    code = f"import sys, allpay; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_loads():
    for name in allpay.__all__:
        home = sys.modules[allpay._HOME[name]] if getattr(allpay, name) is not None else None
        assert getattr(allpay, name) is getattr(home, name)
    assert set(allpay.__all__) <= set(dir(allpay))
    with pytest.raises(AttributeError, match="module 'allpay' has no attribute 'nothing'"):
        allpay.nothing  # noqa: B018


def test_every_public_name_is_known_to_type_checkers_too():
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    named = {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module.startswith("allpay.")
    }
    assert named == {(home, name) for name, home in allpay._HOME.items()}
