"""What all tests share: the recorded output of real clusters, when it is there, and no surprises from outside."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "builders"))  # what tests are made of: steps.py, scans.py, webhook.py

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded cluster output beside the project; tests that need it are skipped without it."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"LOUD: {SHARED}/data is not there: the recorded output of real clusters is NOT tested")
    return SHARED / "data"


@pytest.fixture(autouse=True)
def private_state(tmp_path, monkeypatch):
    """Local jobs of a test share nothing with those of the person who runs it, and no site's file is found."""
    monkeypatch.setenv("LAUNCHERS_LOCAL_STATE", str(tmp_path / "ledger"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LAUNCHERS_CONFIG", raising=False)


@pytest.fixture
def no_slurm(tmp_path, monkeypatch):
    """A PATH without Slurm's commands, whatever is installed here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "env", "cat", "sleep", "true", "false", "python3", "echo", "seq", "kill"):
        for place in os.environ["PATH"].split(":"):
            if (Path(place) / name).exists():
                (folder / name).symlink_to(Path(place) / name)
                break
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def webhook():
    """Somebody who can be told of a flow."""
    from webhook import listening

    with listening() as hook:
        yield hook


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Run without coverage what it would slow down to no use.

    Property tests run the same lines hundreds of times, in twice the time; others measure time or memory themselves.
    pytest-cov's own marker is refused: in a worker of pytest-xdist it may stop coverage for all tests that follow.
    """
    if item.get_closest_marker("no_cover"):
        pytest.fail(
            "mark it no_coverage: pytest-cov's no_cover may end the coverage of all tests after it", pytrace=False
        )
    slow = item.get_closest_marker("no_coverage") or getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    if not slow or not item.config.pluginmanager.hasplugin("_cov"):
        return (yield)
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)
