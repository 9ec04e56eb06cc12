"""A real OAR for the tests in this folder: tools/oar-testbed, which is the one OAR of the machine.

OAR takes no jobs from root, so they run as the test bed's user: `make oar` brings it up and runs them so.  Where that
cannot be, everything here is skipped with one loud line, unless LAUNCHERS_REQUIRE_OAR=1.
"""

import os
import pwd
import sys
import tempfile
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
sys.path.insert(0, str(TOOLS))

import oar_testbed  # noqa: E402

BUILDERS = Path(__file__).resolve().parents[2] / "builders"


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker("oar")


def missing():
    """Why no job can be submitted here; empty when one can."""
    found = oar_testbed.Testbed()
    if not all(found.listens(port) for port in (oar_testbed.SERVER, oar_testbed.POSTGRES)):
        return "no test bed is up (tools/oar-testbed up, as root)"
    if pwd.getpwuid(os.geteuid()).pw_name != oar_testbed.USER:
        return f"OAR takes no jobs from this user: make oar runs these tests as {oar_testbed.USER}"
    return ""


@pytest.fixture(scope="session")
def testbed():
    """The OAR that runs; skip everything, or fail, where there is none."""
    why = missing()
    if why and os.environ.get("LAUNCHERS_REQUIRE_OAR"):
        pytest.fail(f"LAUNCHERS_REQUIRE_OAR is set, and {why}", pytrace=False)
    if why:
        pytest.skip(f"LOUD: the tests against a real OAR are NOT run: {why}")
    return oar_testbed.Testbed()


@pytest.fixture
def oar(testbed, monkeypatch):
    """The cluster, with a scratch folder of the user's that is not in /tmp, and a launchers.yaml that asks it."""
    folder = Path(tempfile.mkdtemp(dir=Path.home(), prefix="test-"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(BUILDERS))  # what a plan names, the node imports
    (folder / "launchers.yaml").write_text(
        "local: [{id: here, tags: [here], cpu: {cores: 4, memory: 8G}, gpu: [{model: RTX4090, count: 2}]}]\n"
        "oar: [{id: grid, tags: [grid], query_oar: true}]\n"
    )
    return testbed
