"""Scans on the real Slurm: the run folder's own sbatch.sh is what is submitted, and what can be submitted again."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from following import until
from scans import TEMPLATE, WAITS, WORKER, esis_scan, finish, folder_of, outputs, plain_environment, scan, show, start

from launchers.cli import main
from launchers.runs.run import open_run
from launchers.runs.send import resume

NEED = {
    "worker": "work.py",
    "needs": "cpu(cores=2, mem=100M) & duration=10m",
    "parameters": {"product": {"x": [1, 2, 3]}},
}


def job_ids(folder):
    """The ids of all jobs of a run."""
    return list(open_run(folder).record.folder.journal.state().jobs.values())


def job(id, *fields):
    """What Slurm was asked for, by the names of scontrol."""
    text = subprocess.run(["scontrol", "show", "job", id], capture_output=True, text=True, check=True).stdout
    return tuple(re.search(rf"\b{field}=(\S*)", text)[1] for field in fields)


def test_a_template_is_submitted_and_can_be_submitted_again(slurm, capfd, monkeypatch):
    monkeypatch.delenv("USER", raising=False)
    folder = finish(capfd, scan("A", {"at_once": 2}))
    assert "#SBATCH --array 0-2%2\n" in (folder / "sbatch.sh").read_text()
    (id,) = job_ids(folder)
    assert (folder / "__esis__" / "jobid.tx").read_text() == f"{id}\n"
    assert job(id, "Command", "WorkDir") == (f"{folder}/jobs/scan/sbatch.sh", f"{folder}/cwd")
    assert outputs(folder) == ["0", "2", "8"]
    assert (folder / "cwd" / f"slurm-{id}_2.out").read_text() == "task 2 has 4\n"
    assert main(["logs", str(folder), "scan:2"]) == 0
    assert capfd.readouterr().out == "task 2 has 4\n"
    assert main(["scan", "run", "A/scan.yaml"]) == 0
    assert "nothing changed, so nothing is submitted; its run is COMPLETED" in capfd.readouterr().out
    assert job_ids(folder) == [id]
    for n in range(3):
        (folder / "cwd" / f"out.{n}").unlink()
    sbatch = ["sbatch", "--wait", "../sbatch.sh"]
    subprocess.run(sbatch, cwd=folder / "cwd", env=plain_environment(), check=True, capture_output=True)
    assert outputs(folder) == ["0", "2", "8"]


def test_a_template_needs_no_launchers_yaml(slurm, capfd):
    Path("launchers.yaml").unlink()
    folder = finish(capfd, scan("A"))
    assert open_run(folder).record.scheduler == "slurm"
    assert job(job_ids(folder)[0], "TimeLimit", "JobName") == ("00:09:00", "scanned")


def test_a_need_chooses_the_partition_and_does_not_count(slurm, capfd):
    file = scan("A", entries=NEED, worker="#!/usr/bin/env python3\n" + WORKER)
    folder = finish(capfd, file)
    assert job(job_ids(folder)[0], "TimeLimit", "MinMemoryNode", "CPUs/Task") == ("00:10:00", "100M", "2")
    assert re.search(r"^#SBATCH --partition=\S+$", (folder / "sbatch.sh").read_text(), re.M)
    text = Path(file).read_text()
    Path(file).write_text(text.replace("cores=2", "cores=4"))
    assert main(["scan", "run", file]) == 0
    assert "nothing changed" in capfd.readouterr().out
    Path(file).write_text(text + "workdir: elsewhere\n")
    assert finish(capfd, file).name == folder.name


def test_what_waits_is_not_reached_by_edits_and_runs_after_what_it_requires(slurm, tmp_path, capfd):
    """A diamond: each scan once, required ones first, by afterok on jobs that are still running."""
    gate = tmp_path / "gate"
    a = scan("A", worker=WAITS.format(gate=gate) + WORKER)
    for name, required in (("B", "A"), ("C", "A"), ("D", "BC")):
        scan(name, {"requires": {letter.lower(): f"../{letter}/scan.yaml" for letter in required}})
    assert main(["scan", "dependency", "D/scan.yaml"]) == 0
    capfd.readouterr()
    ids = {name: job_ids(folder_of(capfd, f"{name}/scan.yaml")) for name in "ABCD"}
    assert [len(jobs) for jobs in ids.values()] == [1, 1, 1, 1]
    assert int(ids["A"][0]) < min(int(ids["B"][0]), int(ids["C"][0])) < int(ids["D"][0])
    d = folder_of(capfd, "D/scan.yaml")
    assert f"\n#SBATCH --dependency=afterok:{ids['B'][0]}:{ids['C'][0]}\n" in (d / "sbatch.sh").read_text()
    until(lambda: open_run(d).status()[0].reason, 60, 0.3)
    (dependency,) = job(ids["D"][0], "Dependency")
    assert [dependency.count(f"afterok:{ids[name][0]}_*(unfulfilled)") for name in "BC"] == [1, 1]
    for name in "ABCD":
        for path in Path(name).glob("*.sh"):
            path.write_text("exit 1\n")
        Path(name, "work.py").write_text("raise SystemExit(1)\n")
    gate.touch()
    assert main(["wait", str(d)]) == 0
    assert (d / "cwd" / "out.2").read_text() == "8"
    assert a == "A/scan.yaml"


def test_one_failed_task_fails_the_run_and_is_all_that_is_retried(slurm, capfd):
    worker = WORKER + 'open("../__esis__/completed.state", "w").write("1")\n'
    worker += 'if n == "1" and not os.path.exists("again"):\n    open("again", "w")\n    raise SystemExit(1)\n'
    file = scan("A", worker=worker)
    b = scan("B", {"requires": {"data": "../A/scan.yaml"}})
    folder = start(capfd, file)
    assert main(["wait", str(folder)]) == 1
    assert show(capfd, file)["state"] == "FAILED"
    assert main(["scan", "run", b]) == 1
    assert f"data FAILED: {folder}" in capfd.readouterr().err
    assert main(["retry", str(folder)]) == 0
    (_, again) = job_ids(folder)
    assert job(again, "ArrayTaskId")[0] in ("1", "1%10")
    assert main(["scan", "run", b]) == 0  # while the second attempt runs
    assert main(["wait", str(folder)]) == 0
    assert main(["wait", str(folder_of(capfd, b))]) == 0
    assert (folder / "setup.log").read_text() == "set up\n"
    assert show(capfd, file)["state"] == "COMPLETED"
    capfd.readouterr()
    assert main(["logs", str(folder), "scan:1"]) == 0
    assert capfd.readouterr().out == "task 1 has 1\n"


def test_when_nobody_knows_the_job_any_more_the_run_itself_is_asked(slurm, capfd, monkeypatch):
    file = scan("A")
    folder = finish(capfd, file)
    monkeypatch.setenv("PATH", str(folder))  # a machine without Slurm's commands
    assert show(capfd, file)["state"] == "COMPLETED"  # seen earlier
    (folder / "seen.json").unlink()
    assert show(capfd, file)["state"] == "UNKNOWN"
    (folder / "__esis__" / "completed.state").write_text("1")
    assert show(capfd, file)["state"] == "COMPLETED"


def test_what_runs_elsewhere_cannot_be_waited_for(slurm, tmp_path, capfd):
    gate = tmp_path / "gate"
    Path("launchers.yaml").write_text(
        "local: [{id: box, tags: [here], cpu: {cores: 2, memory: 2G}}]\nslurm: [{id: testbed, tags: [there], query_slurm: true}]\n"
    )
    a = scan("A", worker=WAITS.format(gate=gate) + WORKER)
    b = scan("B", {"requires": {"data": "../A/scan.yaml"}})
    for first, then in (("here", "there"), ("there", "here")):
        assert main(["scan", "run", a, "--tag", first]) == 0
        assert main(["scan", "run", b, "--tag", then]) == 1
        folder = folder_of(capfd, a)
        assert main(["scan", "run", b, "--tag", then]) == 1
        assert f"{folder} runs elsewhere" in capfd.readouterr().err
        assert not list(Path("B").glob("wrkdir.*"))
        gate.touch()
        assert main(["wait", str(folder)]) == 0
        assert main(["scan", "run", b, "--tag", then]) == 0
        assert main(["wait", str(folder_of(capfd, b))]) == 0
        for file in (a, b):
            assert main(["scan", "clean", "--scan", file, show(capfd, file)["hash"], "--yes"]) == 0
        gate.unlink()


def test_cancel_status_and_a_larger_retry(slurm, tmp_path, capfd):
    gate = tmp_path / "gate"
    file = scan("A", entries=NEED, worker="#!/usr/bin/env python3\n" + WAITS.format(gate=gate) + WORKER)
    folder = start(capfd, file)
    until(lambda: open_run(folder).status()[0].counts["RUNNING"] == 3, 60, 0.3)
    assert main(["status", str(folder), "--json"]) == 0
    status = json.loads(capfd.readouterr().out)
    (id,) = job_ids(folder)
    assert [entry["job"] for entry in status["steps"][0]["jobs"]] == [f"{id}_{n}" for n in range(3)]
    assert main(["scan", "run", file, "--force"]) == 1
    subprocess.run(["scancel", f"{id}_0", f"{id}_2"], check=True)
    until(lambda: open_run(folder).status()[0].counts["CANCELLED"] == 2, 60, 0.3)
    gate.touch()
    assert main(["wait", str(folder)]) == 1
    assert main(["retry", str(folder), "--escalate", "mem*2, duration*3"]) == 0
    again = job_ids(folder)[-1]
    assert job(again, "MinMemoryNode", "TimeLimit") == ("200M", "00:30:00")
    assert main(["wait", str(folder)]) == 0
    assert main(["report", str(folder)]) == 0
    assert main(["advise", str(folder)]) == 0
    assert sorted(path.name for path in (folder / "cwd").glob(f"slurm-{again}_*")) == [
        f"slurm-{again}_0.out", f"slurm-{again}_2.out",
    ]  # fmt: skip
    gate.unlink()
    assert main(["scan", "run", file, "--force"]) == 0
    assert main(["cancel", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 1
    assert show(capfd, file)["state"] == "FAILED"


def test_what_a_template_asks_for_cannot_be_multiplied(slurm, capfd):
    file = scan("A", worker="raise SystemExit(1)\n")
    folder = start(capfd, file)
    assert main(["wait", str(folder)]) == 1
    capfd.readouterr()
    assert main(["retry", str(folder), "--escalate", "mem*2"]) == 2
    assert f"{folder}/sbatch.sh; change them there, then run retry again" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (TEMPLATE.replace("--time=0:09:00", "--partition=nowhere"), "invalid partition specified: nowhere"),
        (TEMPLATE.replace("--time=0:09:00", "--time=never"), "Invalid --time specification"),
    ],
)
def test_what_sbatch_refuses_leaves_nothing_in_the_way(slurm, template, message, capfd):
    file = scan("A", template=template)
    assert main(["scan", "run", file]) == 1
    assert message in capfd.readouterr().err
    assert not list(Path("A").glob("wrkdir.*"))
    scan("A")
    finish(capfd, file)


def test_a_controller_that_does_not_answer_is_asked_again_later(slurm, capfd, monkeypatch):
    """Whether the job was taken nobody knows then, so the folder stays, and the next run finds out."""
    conf = re.sub(r"(?m)^SlurmctldPort=.*", "SlurmctldPort=1\nMessageTimeout=1", slurm.conf.read_text())
    Path("unreachable.conf").write_text(conf)
    monkeypatch.setattr("launchers.runs.send.PAUSES", ())
    Path("launchers.yaml").unlink()
    file = scan("A")
    with monkeypatch.context() as away:
        away.setenv("SLURM_CONF", str(Path("unreachable.conf").absolute()))
        assert main(["scan", "run", file]) == 3
    assert "Unable to contact slurm controller" in capfd.readouterr().err
    assert show(capfd, file)["state"] == "UNSUBMITTED"
    folder = start(capfd, file)
    assert main(["wait", str(folder)]) == 0
    assert len(job_ids(folder)) == 1


def test_more_tasks_than_an_array_may_have(slurm, capfd):
    config = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, check=True).stdout
    most = int(re.search(r"MaxArraySize\s*= (\d+)", config)[1])
    entries = {"worker": "work.py", "template": "template.sh", "parameters": {"product": {"x": list(range(most + 1))}}}
    assert main(["scan", "run", scan("A", entries=entries)]) == 1
    assert f"{most + 1} tasks are more than one array may have here ({most}, MaxArraySize)" in capfd.readouterr().err
    assert not list(Path("A").glob("wrkdir.*"))


KILLED = """
import os, signal, sys
from launchers.cli import main
from launchers.runs.journal import Journal
append = Journal.append
def die(self, event):
    if type(event).__name__ == {event!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    append(self, event)
Journal.append = die
main(["scan", "run", "A/scan.yaml"])
"""


@pytest.mark.parametrize("event", ["Intent", "Submitted"])
def test_a_client_killed_around_sbatch_submits_once(slurm, event, capfd):
    """Before sbatch, and after it with its answer lost: the next run finishes what was begun."""
    file = scan("A")
    done = subprocess.run([sys.executable, "-c", KILLED.format(event=event)], check=False)
    assert done.returncode < 0
    folder = folder_of(capfd, file)
    assert show(capfd, file)["state"] == "UNSUBMITTED"
    assert main(["scan", "run", file]) == 0
    assert main(["wait", str(folder)]) == 0
    (id,) = job_ids(folder)
    shown_by_slurm = subprocess.run(
        ["squeue", "-h", "-a", "-t", "all", "-o", "%F %k"], capture_output=True, text=True, check=True
    )
    token = open_run(folder).record.submissions[0].token
    assert {line.split()[0] for line in shown_by_slurm.stdout.splitlines() if line.endswith(token)} == {id}
    assert job_ids(resume(folder).folder) == [id]


COUNTS = WORKER + 'open("ran", "a").write(n)\n'


def states(folder):
    return dict(open_run(folder).status()[0].counts)


def test_the_same_submission_that_comes_twice_runs_once(slurm, capfd):
    """And after a retry, whose tasks are not numbered from 0."""
    again = 'if n == "1" and not os.path.exists("again"):\n    open("again", "w")\n    raise SystemExit(1)\n'
    folder = start(capfd, scan("A", worker=COUNTS + again))
    assert main(["wait", str(folder)]) == 1
    assert main(["retry", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 0
    run = open_run(folder).record
    for submission in run.submissions:
        job = run.backend.send([run.request(submission)])[0]
        until(lambda job=job: job not in squeue("%F"), 60, 0.3)
    assert sorted((folder / "cwd" / "ran").read_text()) == list("0112")
    assert states(folder) == {"COMPLETED": 3}


def squeue(column):
    """A column of what is in the queue."""
    done = subprocess.run(["squeue", "-h", "-a", "-o", column], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_scan_that_was_cancelled_before_it_was_sent_does_not_run(slurm, capfd):
    """Neither when it is resumed, nor when the sbatch of a client that was killed comes late."""
    file = scan("A", worker=COUNTS)
    assert subprocess.run([sys.executable, "-c", KILLED.format(event="Intent")], check=False).returncode < 0
    folder = folder_of(capfd, file)
    assert main(["cancel", str(folder)]) == 0
    assert main(["resume", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 1
    assert job_ids(folder) == []
    run = open_run(folder).record
    (job,) = run.backend.send([run.request(run.submissions[0])])
    until(lambda: job not in squeue("%F"), 60, 0.3)
    assert not (folder / "cwd" / "ran").exists()
    assert states(folder) == {"CANCELLED": 3}
    assert "cancelled before it was submitted" in (folder / "cwd" / f"slurm-{job}_0.out").read_text()


def test_esis_files_are_run(slurm, capfd):
    """As `esis setup`, `esis require` and `esis dependency` would, and by ESIS's names where that is asked."""
    esis_scan("A", name="wf.esis2.json")
    esis_scan("B", ["../A/wf.esis2.json"], name="wf.esis2.json")
    assert main(["scan", "dependency", "B/wf.esis2.json", "--esis-identity"]) == 0
    folder = folder_of(capfd, "B/wf.esis2.json", "--esis-identity")
    assert main(["wait", str(folder)]) == 0
    assert show(capfd, "B/wf.esis2.json", "--esis-identity")["state"] == "COMPLETED"
    assert show(capfd, "B/wf.esis2.json")["state"] == "MISSING"


def test_output_goes_where_the_template_says(slurm, capfd):
    template = TEMPLATE.replace("#ESIS_PRIVATE", "#SBATCH -o log.%A.%a\n#SBATCH --error='err-%j'\n#ESIS_PRIVATE")
    folder = finish(capfd, scan("A", template=template))
    capfd.readouterr()
    assert main(["logs", str(folder), "scan:1"]) == 0
    assert capfd.readouterr().out == "task 1 has 1\n"
    assert len(list((folder / "cwd").glob("err-*"))) == 3
    assert os.listdir(folder / "cwd").count(f"log.{job_ids(folder)[0]}.1") == 1
