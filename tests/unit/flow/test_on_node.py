"""What runs on the node: the script, its retries, and the values that jobs hand on."""

import time

import pytest

from launchers.flow.on_node import Shell, read_values, run_cell
from launchers.runs.call import StepCommandError


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder in which step b runs."""
    for step in ("a", "b"):
        (tmp_path / "steps" / step).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name, value in {"RUN_DIR": tmp_path, "STEP": "b", "OUTPUT": tmp_path / "steps" / "b" / "output"}.items():
        monkeypatch.setenv(f"LAUNCHERS_{name}", str(value))
    monkeypatch.delenv("LAUNCHERS_ITEM", raising=False)
    return tmp_path


def test_the_script_runs_and_stays_in_the_run_folder(run):
    Shell("echo done > here\n")()
    assert (run / "here").read_text() == "done\n"
    script = run / "steps" / "b" / "script.sh"
    assert (script.read_text(), oct(script.stat().st_mode)[-3:]) == ("echo done > here\n", "700")


def test_another_task_of_the_job_may_read_the_script_meanwhile(run):
    """A shell reads on in the file that it has opened."""
    script = run / "steps" / "b" / "script.sh"
    script.write_text("the other task's")
    with script.open() as opened:
        Shell("true\n")()
        assert opened.read() == "the other task's"


def test_an_item_has_a_script_of_its_own(run, monkeypatch):
    monkeypatch.setenv("LAUNCHERS_ITEM", "7")
    run_cell(Shell("echo $LAUNCHERS_ITEM > item\n"))
    assert (run / "steps" / "b" / "script.7.sh").exists()
    assert (run / "item").read_text() == "7\n"


def test_values_of_the_parents_are_variables(run, tmp_path_factory):
    old = tmp_path_factory.mktemp("old")
    (old / "steps" / "c").mkdir(parents=True)
    (run / "steps" / "a" / "output").write_text("A=1\nBOTH=a\n")
    (old / "steps" / "c" / "output.2").write_text("C=3 4\nBOTH=c\n")
    Shell('echo "$A|$C|$BOTH" > seen', (("", "a", None), (str(old), "c", 2)))()
    assert (run / "seen").read_text() == "1|3 4|c\n"


def test_a_failure_has_the_exit_status_of_the_script(run):
    with pytest.raises(StepCommandError, match="exit status 3"):
        Shell("exit 3")()


def test_a_failed_script_is_tried_again(run, monkeypatch, capfd):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    Shell("echo x >> tries; test $(wc -l < tries) -ge 3", retry=2, delay=5)()
    assert (run / "tries").read_text() == "x\n" * 3
    assert slept == [5, 5]
    assert capfd.readouterr().out == (
        "launchers: exit status 1: trying again in 5 s (2 left)\n"
        "launchers: exit status 1: trying again in 5 s (1 left)\n"
    )


def test_it_is_tried_no_more_than_that(run, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(StepCommandError):
        Shell("echo x >> tries; exit 1", retry=2)()
    assert (run / "tries").read_text() == "x\n" * 3
    with pytest.raises(StepCommandError):
        Shell("echo x >> more; exit 1")()
    assert (run / "more").read_text() == "x\n"


def test_values_of_a_failed_try_do_not_stay(run, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    Shell('echo "TRY_$(ls | wc -l)=1" >> $LAUNCHERS_OUTPUT; touch f; test -e g || { touch g; exit 1; }', retry=1)()
    assert len(read_values(run / "steps" / "b" / "output")) == 1


def test_a_bad_line_fails_the_job_that_wrote_it(run):
    with pytest.raises(ValueError, match=r"output:1: 'what is this' is not KEY=VALUE; \$LAUNCHERS_OUTPUT takes only"):
        Shell("echo what is this >> $LAUNCHERS_OUTPUT")()


def test_values_are_lines(tmp_path):
    path = tmp_path / "output"
    assert read_values(path) == {}
    path.write_text("A=1\n\n  \n_b2=x = y\nC=\nA=2\n")
    assert read_values(path) == {"A": "2", "_b2": "x = y", "C": ""}
    for line in ("1A=1", "A-B=1", "=1", "A", " A=1", "Ä=1"):
        path.write_text(f"OK=1\n\n{line}\n")
        with pytest.raises(ValueError, match="output:3: "):
            read_values(path)
