"""The rooms whose tests are measured: where their code is, and the fast tests that have to notice a change of it."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

ROOMS = ("requirement", "offer", "config", "matching", "jobs", "runs", "plan", "flow", "slurm", "local")


def sources_of(room: str) -> list[Path]:
    """Return the files of a room's code, relative to the checkout."""
    return [path.relative_to(CHECKOUT) for path in sorted((CHECKOUT / "src" / "launchers" / room).rglob("*.py"))]


def tests_of(room: str) -> list[Path]:
    """Return the folder of a room's tests, relative to the checkout; nothing where there is none."""
    folder = Path("tests/unit") / room
    return [folder] if (CHECKOUT / folder).is_dir() else []
