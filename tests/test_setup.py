"""The set-up: what pyproject.toml allows, what requirements.lock has of it, and what the make targets say they run."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = [Requirement(text) for text in (*PROJECT["dependencies"], *chain.from_iterable(EXTRAS.values()))]
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = {
    canonicalize_name(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE)
}


def test_every_dependency_says_which_versions_were_tried():
    open_ended = [str(one) for one in DECLARED if one.name != "launchers" and ">=" not in str(one.specifier)]
    assert open_ended == []


def test_the_lock_has_what_pyproject_allows():
    """Else: make lock."""
    wrong = [
        str(one)
        for one in DECLARED
        if one.name != "launchers"
        and not one.specifier.contains(LOCKED.get(canonicalize_name(one.name), "0"), prereleases=True)
    ]
    assert wrong == []


def test_the_lock_has_a_hash_for_every_package_and_no_address():
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(LOCKED)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in LOCK
    assert "index" not in LOCK


def test_every_python_that_is_declared_is_tried():
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    make = (ROOT / "Makefile").read_text()
    tried = {"3.11", *re.findall(r"make python: (3\.\d+) is NOT tried", make)}
    assert set(declared) == tried


def test_pre_commit_runs_what_make_lint_runs():
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    assert [hook["entry"] for hook in repository["hooks"]] == commands
