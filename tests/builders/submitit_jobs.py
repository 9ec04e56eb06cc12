"""A submitit job of a cluster, and a scheduler that knows of it: nothing runs."""

from types import SimpleNamespace


class FakeJob:
    """A submitit job of `tasks` tasks, whose results a test writes."""

    def __init__(self, folder, tasks=1):
        self.job_id, self.num_tasks, self.values, self.cancelled = "12", tasks, [], False
        self.paths = SimpleNamespace(
            folder=folder, job_id="12", stderr=folder / "log.err", result_pickle=folder / "0.pkl"
        )
        self.folder = folder

    def task(self, number):
        return SimpleNamespace(paths=SimpleNamespace(result_pickle=self.folder / f"{number}.pkl"))

    def results(self):
        return self.values

    def end(self, *values):
        self.values = list(values)
        for number in range(len(values)):
            (self.folder / f"{number}.pkl").touch()

    def cancel(self, check=True):
        self.cancelled = True


class FakeScheduler:
    """Says the states of a job, one after the other; the last one for ever."""

    def __init__(self, *infos):
        self.infos = list(infos)

    def states(self, run, jobs):
        info = self.infos.pop(0) if len(self.infos) > 1 else self.infos[0]
        return {("12", None): info} if info else {}
