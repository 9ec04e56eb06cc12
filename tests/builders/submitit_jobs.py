"""A submitit job of a cluster, and a scheduler that knows of it: nothing runs."""

from types import SimpleNamespace

from launchers.jobs.backend import JobAnswer


class FakeJob:
    """A submitit job of `tasks` tasks, whose results a test writes."""

    def __init__(self, folder, tasks=1):
        self.job_id, self.num_tasks, self.values = "12", tasks, []
        self.paths = SimpleNamespace(
            folder=folder, job_id="12", stderr=folder / "log.err", result_pickle=folder / "0.pkl"
        )
        self.folder = folder

    def task(self, number):
        return SimpleNamespace(paths=SimpleNamespace(result_pickle=self.folder / f"{number}.pkl"))

    def results(self):
        if isinstance(self.values, Exception):
            raise self.values
        return self.values

    def end(self, *values):
        self.values = list(values)
        for number in range(len(values)):
            (self.folder / f"{number}.pkl").touch()


class FakeScheduler:
    """Says the states of a job, one after the other; the last one for ever.  A text says why it cannot be asked."""

    title = "Slurm"

    def __init__(self, *infos):
        self.infos, self.asked, self.cancelled = list(infos), [], []

    def states(self, run, jobs):
        self.asked.append(jobs)
        info = self.infos.pop(0) if len(self.infos) > 1 else self.infos[0]
        if isinstance(info, str):
            return JobAnswer(problem=info)
        return JobAnswer({("12", None): info} if info else {})

    def find_token(self, token, since):
        return None

    def cancel(self, run, elements, tokens):
        self.cancelled.append((elements, tokens))
