"""A plugin of pytest for the runs of a mutation run: it notes what tests run, or chooses and orders them.

MUTATION_NOTES names a file: JSON is written there with each test's seconds, and the tests that run each line. The
processes that a test starts count, too: coverage starts in them by itself, and pytest tells them the test's name.
MUTATION_TESTS names a file: JSON with the tests to run, in this order, and how long each may take.
"""

import json
import os
import re
from pathlib import Path

import pytest

NOTES = os.environ.get("MUTATION_NOTES")
TESTS = os.environ.get("MUTATION_TESTS")

SETTINGS = """\
[run]
source = {source}
data_file = {folder}/coverage
parallel = true
context = ${{PYTEST_CURRENT_TEST-}}
sigterm = true
patch = _exit
"""


class Notes:
    """Measures which lines each test runs."""

    def __init__(self, target: Path) -> None:
        import coverage

        self.target = target
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self.source = Path.cwd() / "src" / "launchers"
        settings = target.with_suffix(".ini")
        settings.write_text(SETTINGS.format(source=self.source, folder=target.parent))
        self.coverage = coverage.Coverage(config_file=str(settings))
        self.coverage.start()
        os.environ["COVERAGE_PROCESS_START"] = str(settings)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        """Say whose lines come now."""
        self.coverage.switch_context(item.nodeid)
        result = yield
        self.coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report):
        """Note the time of a test that passed; set-up and teardown count."""
        if report.nodeid in self.seconds or report.when == "setup":
            self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration
        if not report.passed:
            self.seconds.pop(report.nodeid, None)
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_sessionfinish(self):
        """Write the notes."""
        self.coverage.stop()
        self.coverage.save()
        self.coverage.combine(strict=False)
        data = self.coverage.get_data()
        lines = {}
        for file in data.measured_files():
            lines[str(Path(file).relative_to(Path.cwd()))] = {
                line: sorted({test_of(context) for context in contexts} & self.seconds.keys())
                for line, contexts in data.contexts_by_lineno(file).items()
            }
        self.target.write_text(json.dumps({"seconds": self.seconds, "failed": self.failed, "lines": lines}))


def test_of(context: str) -> str:
    """Return the test that a context names: a process that a test starts has its phase, too."""
    return re.sub(r" \((setup|call|teardown)\)$", "", context)


class Choice:
    """Runs the chosen tests only, in the order given, each with its own limit of time."""

    def __init__(self, limits: dict[str, float]) -> None:
        self.limits = limits
        self.order = {name: index for index, name in enumerate(limits)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        """Choose and order."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )
        for item in items:
            item.add_marker(pytest.mark.timeout(self.limits[item.nodeid]), append=False)


def pytest_configure(config):
    """Do what the environment asks for."""
    if NOTES:
        config.pluginmanager.register(Notes(Path(NOTES)))
    if TESTS:
        config.pluginmanager.register(Choice(json.loads(Path(TESTS).read_text())))
