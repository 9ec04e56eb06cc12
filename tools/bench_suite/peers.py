"""The peers, each in a virtual environment of its own, in a cache folder outside of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "experimaestro": ["experimaestro==1.4.3", "setuptools<81"],  # it imports pkg_resources
    "planit": ["git+https://github.com/WPoelman/planit.git"],  # the planit of PyPI is about planets
    "snakemake": ["snakemake", "snakemake-executor-plugin-slurm"],
    "submitit": ["submitit"],
}


def cache() -> Path:
    """Where they are kept: $LAUNCHERS_BENCH_CACHE, else in the user's cache folder."""
    named = os.environ.get("LAUNCHERS_BENCH_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "launchers-bench"


def installed(name: str) -> Path | str:
    """The Python that has a peer, or why there is none."""
    folder = cache() / name
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"bench: installing {name} into {folder}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[name]]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return f"{name} could not be installed here: pip install {' '.join(PACKAGES[name])} failed"
    (folder / "ready").touch()
    return python


def versions() -> dict[str, str]:
    """The versions of those that are installed."""
    found = {}
    for name in PACKAGES:
        if (cache() / name / "ready").exists():
            package = "snakemake-executor-plugin-slurm" if name == "snakemake" else name
            code = f"from importlib.metadata import version; print(version({package!r}))"
            python = cache() / name / "bin" / "python"
            found[package] = subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()
    return found
