"""The rooms, what each may import (docs/architecture.md has the table), and what stands nowhere but where it belongs."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "launchers"
PURE = ("quantities", "requirement", "gpus", "offer", "matching")
IMPURE = {"subprocess", "socket", "submitit", "asyncio", "multiprocessing"}
SCHEDULERS = {"slurm", "oar", "local"}
KNOWS_SCHEDULERS = ("schedulers.py", "slurm/", "oar/", "local/", "config/")
"""The places that may name a scheduler: where a name becomes a backend, its own room, and the keys of
launchers.yaml."""


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
FILES = [path for name, path in MODULES.items() if name not in ("launchers", "launchers.__main__")]


def shown(path):
    return str(path.relative_to(PACKAGE))


def room(module):
    """The folder, or the module beside the folders, that a module is in."""
    return module.split(".")[1]


@cache
def syntax(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path):
    """Every module that a file imports, anywhere in it and also for type checkers alone."""
    modules = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            modules.update(submodules & set(MODULES) or {node.module})
            if submodules - set(MODULES):
                modules.add(node.module)
    return frozenset(modules)


def ours(path):
    return {name for name in imports(path) if name in MODULES and name != "launchers"}


# -- the table ---------------------------------------------------------------------------------------------------


def table():
    """The rooms from the lowest up, each with the rooms that it may import."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\w, ]*)\|", text, re.M)
    return {name: {part.strip() for part in may.split(",") if part.strip()} for name, may in rows if name != "room"}


def test_the_table_names_every_room():
    assert {room(module_name(path)) for path in FILES} == set(table())


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_a_file_imports_what_its_room_may(path):
    own = room(module_name(path))
    assert {room(name) for name in ours(path)} - {own} <= table()[own]


def test_the_table_says_no_more_than_is_true():
    """A room that is allowed and not used is a door that nobody needs."""
    used = {name: set() for name in table()}
    for path in FILES:
        own = room(module_name(path))
        used[own] |= {room(name) for name in ours(path)} - {own}
    assert used == table()


def test_a_room_imports_lower_rooms_only():
    order = list(table())
    for number, (name, may) in enumerate(table().items()):
        assert may <= set(order[:number]), f"{name} stands below something that it imports"


def test_no_file_is_in_a_circle():
    state = {}

    def visit(name, path):
        if state.get(name) == "done":
            return
        assert name not in path, f"a circle of imports: {' -> '.join([*path[path.index(name) :], name])}"
        for other in sorted(ours(MODULES[name])):
            visit(other, [*path, name])
        state[name] = "done"

    for name in MODULES:
        visit(name, [])


# -- the core is pure --------------------------------------------------------------------------------------------


def reached(module, typing=False):
    """All modules of others that a module of ours imports when it is imported, by way of ours too."""
    others, seen, todo = set(), set(), [module]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in syntax(MODULES[name]).body:
            if isinstance(node, ast.Import):
                others.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.module.startswith("launchers"):
                others.add(node.module.split(".")[0])
            elif isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                todo += [each for each in names if each in MODULES and each != "launchers"]
    return others


@pytest.mark.parametrize(
    "module", [module_name(path) for path in FILES if room(module_name(path)) in PURE], ids=lambda name: name
)
def test_the_core_is_pure(module):
    assert not reached(module) & IMPURE


# -- what stands nowhere else ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in FILES if not shown(path).startswith(KNOWS_SCHEDULERS)], ids=shown)
def test_no_file_asks_which_scheduler_it_is(path):
    """What differs between schedulers is asked of a Backend, or stands as data in a group."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None
    }
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            asked = [side for side in sides if isinstance(side, ast.Attribute) and side.attr == "scheduler"]
            equal = any(isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot) for operator in node.ops)
            assert not (asked and equal), f"{shown(path)}:{node.lineno}: it compares a scheduler"
        if isinstance(node, ast.Constant) and id(node) not in documentation:
            assert node.value not in SCHEDULERS, f"{shown(path)}:{node.lineno}: it names a scheduler"


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_files_that_are_referred_to_exist(path):
    """In docstrings and comments: `matching/words.py`, tests/..., docs/..., facts of ours."""
    text = path.read_text(encoding="utf-8")
    known = {
        str(file.relative_to(ROOT))
        for part in ("src", "tests", "docs", "tools", "grammar", "examples")
        for file in (ROOT / part).rglob("*")
    }
    for name in re.findall(r"(?<![\w/.<-])((?:[\w-]+/)+[\w.-]+\.(?:py|md|tsv|toml|lark|html))\b", text):
        assert any(file == name or file.endswith(f"/{name}") for file in known), f"{shown(path)} refers to {name}"


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_the_library_prints_nothing_to_stdout(path):
    """But for `Plan.describe`, what runs on the node, and the command line."""
    if shown(path).startswith("cli/") or shown(path) in ("plan/plan.py", "flow/on_node.py"):
        return
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert any(keyword.arg == "file" for keyword in node.keywords), f"{shown(path)}:{node.lineno}"
