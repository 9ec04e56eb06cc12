"""A Slurm that is made up: jobs really run, slurmctld is a thread, and its memory is a file.

It keeps to what docs/slurm-facts.md says of 22.05, as far as launchers relies on it: ids count up, jobs that ended are
forgotten after MinJobAge, a dependency on a forgotten job counts as met, and a job whose dependency can never be met is
cancelled.  This file, run as a program under one of the names of COMMANDS, is that command.
"""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sdiag", "srun")
MIN_JOB_AGE = 2
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
AWAY = "Unable to contact slurm controller (connect failure)"


@contextlib.contextmanager
def memory(folder, *, change=True):
    """What the controller knows, locked."""
    with Path(folder, "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            known = json.loads(Path(folder, "memory").read_text())
        except FileNotFoundError:
            known = {"next": 1, "jobs": [], "old": []}
        yield known
        if change:
            Path(folder, "memory.new").write_text(json.dumps(known))
            Path(folder, "memory.new").rename(Path(folder, "memory"))


def name_of(job):
    """The id of a job, or of an element of an array."""
    return str(job["id"]) if job["index"] is None else f"{job['id']}_{job['index']}"


# -- the commands ----------------------------------------------------------------------------------------------


def sbatch(folder, words):
    """Take a job."""
    wrapped = words[words.index("--wrap") + 1] if "--wrap" in words else None
    text = f"#!/bin/sh\n{wrapped}\n" if wrapped else Path(words[-1]).read_text()
    options = {key: value.strip("'\"") for key, value in re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", text, re.M)}
    options |= dict(re.findall(r"^--([a-z-]+)=(.*)$", "\n".join(words), re.M))
    options |= {"job-name": words[words.index("-J") + 1]} if "-J" in words else {}
    indices = elements(options["array"]) if "array" in options else [None]
    with memory(folder) as known:
        id, known["next"] = known["next"], known["next"] + 1
        script = f"{folder}/script.{id}.{time.monotonic_ns()}"
        Path(script).write_text(text)
        Path(f"{script}.env").write_text(json.dumps(dict(os.environ)))
        first = {
            "id": id, "name": options.get("job-name", "sbatch"), "comment": options.get("comment", ""), "script": script,
            "cwd": options.get("chdir", str(Path.cwd())), "output": options.get("output", "/dev/null"), "count": len(indices),
            "after": options.get("dependency", ""), "state": "PENDING", "reason": "None", "submit": int(time.time()),
            "start": 0, "end": 0, "exit": "0:0", "ended": 0.0,
        }  # fmt: skip
        known["jobs"] += [{**first, "index": index} for index in indices]
    print(id if "--parsable" in words else f"Submitted batch job {id}")


def elements(text):
    """The numbers of --array."""
    numbers = []
    for part in text.partition("%")[0].split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def wanted(words, jobs):
    """The jobs that a question is about."""
    if "-j" not in words:
        return jobs
    ids = words[words.index("-j") + 1].split(",")
    return [job for job in jobs if str(job["id"]) in ids or name_of(job) in ids]


def squeue(folder, words):
    """What the controller knows."""
    with memory(folder, change=False) as known:
        jobs = wanted(words, known["jobs"])
    if "-n" in words:
        jobs = [job for job in jobs if job["name"] == words[words.index("-n") + 1]]
    if "-j" in words and not jobs and "," not in words[words.index("-j") + 1]:
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    for job in jobs:
        cells = {
            "F": job["id"], "A": job["id"], "K": "N/A" if job["index"] is None else job["index"], "T": job["state"],
            "N": "n1" if job["start"] else "", "M": elapsed(job), "P": "cpu", "V": job["submit"],
            "S": job["start"] or "N/A", "e": job["end"] or "N/A", "r": job["reason"], "Z": job["cwd"],
            "k": job["comment"] or "(null)", "j": job["name"], "u": "root", "i": name_of(job), "t": job["state"][:2],
        }  # fmt: skip
        form = words[words.index("-o") + 1]
        print(re.sub(r"%\.?\d*(.)", lambda found: str(cells[found[1]]), form))  # noqa: B023


def sacct(folder, words):
    """What accounting knows: all jobs, the newest of each id."""
    with memory(folder, change=False) as known:
        newest = {name_of(job): job for job in [*known["old"], *known["jobs"]]}
    end = (
        words[[word.startswith("--delimiter") for word in words].index(True)].partition("=")[2]
        if "-p" in words
        else "|"
    )
    for job in wanted(words, list(newest.values())):
        cells = {
            "JobID": name_of(job), "State": job["state"], "Reason": job["reason"], "Elapsed": elapsed(job),
            "NodeList": "n1" if job["start"] else "None assigned", "ExitCode": job["exit"], "Partition": "cpu",
            "Submit": job["submit"], "Eligible": job["submit"], "Start": job["start"] or "Unknown",
            "End": job["end"] or "Unknown", "WorkDir": job["cwd"], "Comment": job["comment"], "JobName": job["name"],
            "User": "root", "Cluster": "fake",
        }  # fmt: skip
        fields = words[words.index("-o") + 1].split(",")
        print(end.join(str(cells.get(field, "")) for field in fields) + (end if "-p" in words else ""))


def elapsed(job):
    """As squeue prints it."""
    seconds = int((job["end"] or time.time()) - job["start"]) if job["start"] else 0
    return f"{seconds // 60}:{seconds % 60:02}"


def scancel(folder, words):
    """Cancel jobs."""
    ids = [word for word in words if re.fullmatch(r"\d+(_\d+)?", word)]
    with memory(folder) as known:
        if "-n" in words:
            ids = [str(job["id"]) for job in known["jobs"] if job["name"] == words[words.index("-n") + 1]]
        for job in known["jobs"]:
            if (str(job["id"]) in ids or name_of(job) in ids) and job["state"] not in ENDED:
                end(job, "CANCELLED", "0:15")


def scontrol(folder, words):
    """Its configuration."""
    settings = {"ClusterName": "fake", "MaxArraySize": 1001, "MinJobAge": f"{MIN_JOB_AGE} sec",
                "AccountingStorageType": "accounting_storage/slurmdbd"}  # fmt: skip
    print("\n".join(f"{name:20}= {value}" for name, value in settings.items()))


def sdiag(folder, words):
    """Accounting has all there is."""
    print("DBD Agent queue size: 0")


def srun(folder, words):
    """Run a command of a job, its output in a file."""
    ids = {"j": os.environ["SLURM_JOB_ID"], "t": "0", "A": os.environ["SLURM_JOB_ID"],
           "a": os.environ.get("SLURM_ARRAY_TASK_ID", ""), "%": "%"}  # fmt: skip
    place = 0
    while words[place].startswith("-"):
        if words[place] in ("--output", "--error"):
            path = re.sub(r"%(.)", lambda found: ids[found[1]], words[place + 1])
            stream = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(stream, 1 if words[place] == "--output" else 2)
            place += 1
        place += 1
    os.execvp(words[place], words[place:])


# -- the controller --------------------------------------------------------------------------------------------


def end(job, state, exit="0:0", reason="None"):
    """A job has ended."""
    job |= {"state": state, "exit": exit, "end": int(time.time()), "ended": time.monotonic(), "reason": reason}


class Controller(threading.Thread):
    """Starts jobs, notices their end, and forgets them."""

    def __init__(self, folder, at_once=16):
        super().__init__(daemon=True)
        self.folder, self.at_once, self.running, self.over = folder, at_once, {}, threading.Event()

    @property
    def away(self):
        """Whether nobody answers."""
        return Path(self.folder, "away")

    def run(self):
        """Until it is over."""
        while not self.over.wait(0.03):
            if not self.away.exists():
                with memory(self.folder) as known:
                    self.reap(known)
                    self.start_ready(known)
                    gone = [
                        job for job in known["jobs"] if job["ended"] and time.monotonic() - job["ended"] > MIN_JOB_AGE
                    ]
                    known["old"] += gone
                    known["jobs"] = [job for job in known["jobs"] if job not in gone]
        for process in self.running.values():
            kill(process)

    def reap(self, known):
        """Notice what ended, and end what was cancelled."""
        jobs = {name_of(job): job for job in known["jobs"]}
        for name, process in list(self.running.items()):
            job, status = jobs.get(name), process.poll()
            if job is None or job["state"] != "RUNNING":
                kill(process)
                del self.running[name]
            elif status is not None:
                code, number = (status, 0) if status >= 0 else (0, -status)
                end(
                    job,
                    "FAILED" if status else "COMPLETED",
                    f"{code}:{number}",
                    "NonZeroExitCode" if status else "None",
                )
                kill(process)
                del self.running[name]

    def start_ready(self, known):
        """Start what waits for nothing any more, and cancel what waits in vain."""
        for job in known["jobs"]:
            if job["state"] == "PENDING" and len(self.running) < self.at_once:
                met = dependency_met(job, known["jobs"])
                if met is False:
                    end(job, "CANCELLED", reason="DependencyNeverSatisfied")
                elif met:
                    self.start_job(job)
                else:
                    job["reason"] = "Dependency"

    def start_job(self, job):
        """Run its script."""
        environment = json.loads(Path(f"{job['script']}.env").read_text())
        ids = {"j": str(job["id"]), "A": str(job["id"]), "a": str(job["index"]), "t": "0", "N": "n1", "%": "%"}
        environment |= {
            "SLURM_JOB_ID": str(job["id"]), "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0",
            "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_NODELIST": "n1", "SLURM_JOB_NAME": job["name"],
            "SLURM_TASKS_PER_NODE": "1", "SLURM_CLUSTER_NAME": "fake",
        }  # fmt: skip
        if job["index"] is not None:
            environment |= {"SLURM_ARRAY_JOB_ID": str(job["id"]), "SLURM_ARRAY_TASK_ID": str(job["index"]),
                            "SLURM_ARRAY_TASK_COUNT": str(job["count"])}  # fmt: skip
        try:
            with Path(re.sub(r"%(.)", lambda found: ids[found[1]], job["output"])).open("ab") as out:
                process = subprocess.Popen(["/bin/bash", job["script"]], cwd=job["cwd"], env=environment, stdout=out,
                                           stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        except OSError:
            end(job, "FAILED", "0:53")
            return
        self.running[name_of(job)] = process
        job |= {"state": "RUNNING", "start": int(time.time()), "reason": "None"}

    def forget(self):
        """Lose everything, and count from the beginning."""
        with memory(self.folder) as known:
            known |= {"next": 1, "jobs": [], "old": []}


def dependency_met(job, jobs):
    """True, False when it never will be, None while that is open; a job that is not known counts as met."""
    answers = [True]
    for part in filter(None, job["after"].split(",")):
        kind, *ids = part.split(":")
        for id in ids:
            base, _, index = id.partition("_")
            index = str(job["index"]) if kind == "aftercorr" else index
            found = [
                other for other in jobs if str(other["id"]) == base and (not index or str(other["index"]) == index)
            ]
            states = [other["state"] for other in found]
            answers.append(answer_of(kind, states) if states else True)
    return False if False in answers else None if None in answers else True


def answer_of(kind, states):
    """Whether the states of one parent are what is waited for."""
    if kind == "after":
        return True if "PENDING" not in states else None
    bad = any(state in ENDED and state != "COMPLETED" for state in states)
    over = all(state in ENDED for state in states)
    if kind in ("afterok", "aftercorr"):
        return False if bad else True if over else None
    if kind == "afternotok":
        return bad if over else None
    return True if over else None


def kill(process):
    """End a job with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main():
    """Be one of the commands."""
    name, folder = Path(sys.argv[0]).name, os.environ["FAKE_SLURM"]
    if name != "srun" and Path(folder, "away").exists():
        sys.exit(f"{name}: error: {AWAY}")
    {"sbatch": sbatch, "squeue": squeue, "sacct": sacct, "scancel": scancel, "scontrol": scontrol, "sdiag": sdiag,
     "srun": srun}[name](folder, sys.argv[1:])  # fmt: skip


if __name__ == "__main__":
    main()
