"""A Slurm that takes every submission, and whose jobs end as a test says."""

from launchers.jobs.backend import JobAnswer, JobInfo
from launchers.jobs.state import ENDED
from launchers.slurm.backend import SlurmBackend


def pretend_srun(monkeypatch):
    """Let submitit write sbatch files where there is no Slurm: it wants to see an srun."""
    monkeypatch.setattr("submitit.SlurmExecutor.affinity", classmethod(lambda _: 1))


class SlurmQueue:
    """What was sent, and the states of the jobs; those of which a test says nothing are PENDING."""

    def __init__(self, monkeypatch, array=1000):
        self.sent, self.cancelled, self.infos = [], [], {}
        for name in ("send", "states", "cancel"):
            monkeypatch.setattr(SlurmBackend, name, getattr(self, f"_{name}"))
        monkeypatch.setattr(SlurmBackend, "largest_array", lambda _: array)
        monkeypatch.setattr(SlurmBackend, "proves_success", True)
        monkeypatch.setattr(SlurmBackend, "cluster", lambda _: "")
        monkeypatch.setattr(SlurmBackend, "forget_after", lambda _: 300.0)
        monkeypatch.setattr(SlurmBackend, "missing_commands", lambda _: ())
        pretend_srun(monkeypatch)

    def end(self, run, default="COMPLETED", reason="", **states):
        """Say how the jobs of the last attempt are: `states` by step, or ``step_ITEM`` for an item of a Map."""
        jobs = run.record.folder.journal.state().jobs
        for (step, item), (submission, position) in run.record.latest().items():
            element = (jobs[submission.name], submission.element(position))
            state = states.get(f"{step}_{item}", states.get(step, default))
            if self.infos.get(element) is None or self.infos[element].state not in ENDED:
                self.infos[element] = JobInfo(state, reason if state == "PENDING" else "")

    @property
    def dependencies(self):
        """For each submission the dependencies that sbatch was given, by the names of the submissions."""
        names = {str(number): request.submission.name for number, request in enumerate(self.sent, 1)}
        return {
            request.submission.name: [(wait.kind, names[wait.on[0]], wait.on[1]) for wait in request.waits]
            for request in self.sent
        }

    def _send(self, requests):
        self.sent += requests
        return [str(len(self.sent))]

    def _states(self, run, jobs, elements=(), *, usage=False):
        return JobAnswer({element: self.infos.get(element, JobInfo("PENDING")) for element in elements})

    def _cancel(self, run, elements, tokens):
        self.cancelled += elements
