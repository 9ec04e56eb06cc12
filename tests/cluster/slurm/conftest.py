"""A real Slurm for the tests in this folder: one cluster per session, and controllers to ask for their opinion.

LAUNCHERS_TESTBED=DIR uses a cluster that runs already and leaves it running.  Where there is none and none can be
started, everything here is skipped with one loud line, unless LAUNCHERS_REQUIRE_SLURM=1.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
sys.path.insert(0, str(TOOLS))

import slurm_testbed  # noqa: E402


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker("slurm")


def missing():
    """Why no Slurm can be started here; empty when one can."""
    if os.environ.get("LAUNCHERS_TESTBED"):
        return ""
    if os.geteuid():
        return "a test bed needs root"
    absent = [name for name in slurm_testbed.COMMANDS if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)} (tools/slurm-testbed install)" if absent else ""


@pytest.fixture(scope="session")
def can_run():
    """Skip everything, or fail, where there is no Slurm."""
    why = missing()
    if why and os.environ.get("LAUNCHERS_REQUIRE_SLURM"):
        pytest.fail(f"LAUNCHERS_REQUIRE_SLURM is set, and {why}", pytrace=False)
    if why:
        pytest.skip(f"LOUD: the tests against a real Slurm are NOT run: {why}")


@pytest.fixture(scope="session")
def testbed(can_run):
    """The full cluster, with its slurmd; taken down at the end unless it was there before."""
    named = os.environ.get("LAUNCHERS_TESTBED")
    if named:
        found = slurm_testbed.Testbed(Path(named))
        yield found
        return
    state = Path(tempfile.mkdtemp(prefix="launchers-testbed-"))
    state.chmod(0o755)
    found = slurm_testbed.Testbed(state, port=slurm_testbed.PORT + 200, cluster="tests")
    try:
        found.up()
        yield found
    finally:
        found.wipe()


@pytest.fixture
def slurm(testbed, monkeypatch, tmp_path):
    """The cluster, with this process and its children talking to it, in a scratch folder."""
    monkeypatch.setenv("SLURM_CONF", str(testbed.conf))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("slurm: [{id: testbed, query_slurm: true}]\n")
    return testbed


@pytest.fixture
def controller(can_run, tmp_path_factory):
    """Start a controller without slurmd from a description; all are taken down at the end."""
    started = []

    def start(description, enforce="ALL", port=slurm_testbed.PORT + 300):
        state = Path(tempfile.mkdtemp(prefix="launchers-controller-"))
        state.chmod(0o755)
        found = slurm_testbed.Testbed(state, port=port, cluster="oracle", enforce=enforce)
        started.append(found)
        found.up(description, controller_only=True)
        return found

    yield start
    for found in started:
        found.wipe()
