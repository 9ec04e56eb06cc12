"""Scripts of a run folder: where their output is, and whether their run says that it is done."""

import pytest
from fake_backend import stored_run, submission

from launchers.runs.script import script_logs, states_completed


@pytest.fixture
def run(fake, tmp_path):
    """A run whose script has the items 0 and 12, and whose jobs wrote to files of these names."""
    run = stored_run(tmp_path, submission("m", items=[0, 12], script="job.sh"))
    (run.folder.path / "job.sh").write_bytes(b"#!/bin/sh\n# \xff\n")
    (run.folder.path / "cwd" / "logs").mkdir(parents=True)
    return run


def logs(run, fake, patterns, item, job, *names):
    fake.output_patterns = lambda request, script: patterns
    for name in names:
        (run.folder.path / "cwd" / name).touch()
    found = script_logs(run, run.submissions[0], item, job)
    return [str(path.relative_to(run.folder.path / "cwd")) for path in found]


@pytest.mark.parametrize(
    ("patterns", "item", "job", "found"),
    [
        (["%A_%a.out"], 12, "7", ["7_12.out"]),
        (["%A_%a.out"], 12, None, ["7_12.out", "8_12.out"]),
        (["%A_%4a.out"], 0, "7", ["7_0.out"]),
        (["logs/%j.err", "%A_%a.out"], 0, "7", ["logs/9.err", "7_0.out"]),
        (["100%%"], 0, "7", ["100%"]),
        (["%x_%a.out"], 12, "7", ["7_12.out", "8_12.out"]),
        (["nothing"], 12, "7", []),
    ],
)
def test_where_the_output_of_an_item_is(run, fake, patterns, item, job, found):
    names = ("7_0.out", "7_12.out", "8_12.out", "logs/9.err", "100%")
    assert logs(run, fake, patterns, item, job, *names) == found


def test_the_script_and_its_run_are_what_is_asked(run, fake):
    asked = []
    fake.output_patterns = lambda request, script: asked.append((request.submission.name, script)) or []
    script_logs(run, run.submissions[0], 0, None)
    assert asked == [("m", "#!/bin/sh\n# \ufffd\n")]


@pytest.mark.parametrize(
    ("text", "done"), [(b"1", True), (b" 1\n", True), (b"0", False), (b"", False), (b"\xff", False)]
)
def test_whether_a_run_says_that_it_is_done(tmp_path, text, done):
    assert not states_completed(tmp_path)
    (tmp_path / "__esis__").mkdir()
    assert not states_completed(tmp_path)
    (tmp_path / "__esis__" / "completed.state").write_bytes(text)
    assert states_completed(tmp_path) == done
