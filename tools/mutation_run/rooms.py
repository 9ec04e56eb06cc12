"""The rooms whose tests are measured: where their code is, and the fast tests that have to notice a change of it."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

ROOMS = ("requirement", "offer", "config", "matching", "jobs", "runs", "plan", "flow", "slurm", "local")

# Until all rooms are where ../shared/design/layout.md has them.
ALSO = {
    "offer": ("tests/offer",),
    "matching": ("tests/matching",),
    "plan": ("tests/plan",),
    "requirement": ("tests/requirement",),
    "local": ("tests/local",),
    "flow": ("src/launchers/workflow", "tests/workflow"),
    "slurm": ("tests/slurm_text",),
}


def paths_of(room: str) -> list[Path]:
    """Return the folders and modules of a room that exist, relative to the checkout."""
    usual = (f"src/launchers/{room}", f"src/launchers/{room}.py", f"tests/unit/{room}", f"tests/unit/test_{room}.py")
    return [Path(name) for name in (*usual, *ALSO.get(room, ())) if (CHECKOUT / name).exists()]


def sources_of(room: str) -> list[Path]:
    """Return the files of a room's code, relative to the checkout."""
    files: list[Path] = []
    for path in paths_of(room):
        if path.parts[0] == "src":
            files += sorted((CHECKOUT / path).rglob("*.py")) if path.suffix != ".py" else [CHECKOUT / path]
    return [file.relative_to(CHECKOUT) for file in files]


def tests_of(room: str) -> list[Path]:
    """Return the folders and files of a room's tests, relative to the checkout."""
    return [path for path in paths_of(room) if path.parts[0] == "tests"]
