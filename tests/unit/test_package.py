"""The public names: all are there, and importing the package costs nothing."""

import subprocess
import sys

import pytest

import launchers

HEAVY = ("attrs", "attr", "lark", "cattrs", "yaml", "ruamel", "submitit", "rich", "jinja2", "cloudpickle")


def imported(code):
    """Which of the heavy packages a program has imported."""
    program = f"{code}\nimport sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("name", launchers.__all__)
def test_every_public_name_is_there(name):
    assert getattr(launchers, name) is not None
    assert name in dir(launchers)


def test_what_people_write_is_public():
    names = """
        find_launcher Launcher LauncherNotFoundError run_command detach_command run_flow
        Plan Step Map Chain Parallel Dag result_of PlanError PlanRun open_run resume retry
        RunError StepsFailedError SubmitError ConfigError RequirementSyntaxError SlurmArgs MailType
    """
    assert set(names.split()) <= set(launchers.__all__)


def test_a_name_that_there_is_not():
    with pytest.raises(AttributeError, match="module 'launchers' has no attribute 'nothing'"):
        launchers.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_else():
    assert imported("import launchers") == []


@pytest.mark.parametrize(
    "name", ["find_launcher", "parse", "Plan", "RunError", "open_run", "run_command", "resume", "SubmitError"]
)
def test_a_name_imports_only_what_it_needs(name):
    assert {"submitit", "rich", "jinja2", "ruamel"} & set(imported(f"from launchers import {name}")) == set()
