"""The rooms and what each may import, as docs/architecture.md has them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "launchers"
PURE = ("requirement", "offer", "matching")
IMPURE = {"subprocess", "socket", "submitit", "asyncio", "multiprocessing"}


def rooms():
    """The table: room -> rooms it may import."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ([\w, ]*)\|", text, re.M)
    return {name: {part.strip() for part in may.split(",") if part.strip()} for name, may in rows if name != "room"}


def room(path):
    """The room that a file is in: a folder or a module of the package."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path, *, typing=False):
    """Every module that a file imports, anywhere in it; those only for type checkers when `typing`."""
    found = set()

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and not typing:
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


FILES = [
    path
    for path in sorted(SOURCE.rglob("*.py"))
    if path.relative_to(SOURCE).parts[0] not in ("__init__.py", "__main__.py")
]


def test_the_table_names_every_room():
    assert {room(path) for path in FILES} == set(rooms())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_import_goes_back(path):
    may = rooms()[room(path)] | {room(path)}
    used = {name.split(".")[1] for name in imports(path, typing=True) if name.startswith("launchers.")}
    assert used - {"__version__"} <= may


def reachable(start):
    """All modules of ours that a file leads to, and all others it imports on the way."""
    ours, others, todo = set(), set(), [start]
    while todo:
        path = todo.pop()
        if path in ours:
            continue
        ours.add(path)
        for name in imports(path):
            if not name.startswith("launchers"):
                others.add(name.split(".")[0])
                continue
            base = SOURCE.joinpath(*name.split(".")[1:])
            todo += [
                one
                for one in (base.with_suffix(".py"), base / "__init__.py")
                if one.exists() and one != SOURCE / "__init__.py"
            ]
    return others


@pytest.mark.parametrize(
    "path", [path for path in FILES if room(path) in PURE], ids=lambda path: str(path.relative_to(SOURCE))
)
def test_the_core_is_pure(path):
    assert not reachable(path) & IMPURE


def test_the_order_is_a_straight_line():
    """Nothing that a room may import may import it."""
    table = rooms()
    for name, may in table.items():
        for other in may:
            assert name not in table[other]


def test_nothing_imports_the_command_line():
    assert all("cli" not in may for may in rooms().values())
