"""What the jobs of a retry ask for: a need is placed anew, and what was given by hand is multiplied."""

import pytest
from attrs import evolve
from config_files import partition, slurm_entry, write_config
from plans import work

from launchers import SlurmArgs
from launchers.cli import main
from launchers.errors import RunError
from launchers.plan import Chain, Map, Parallel, Plan, Step
from launchers.plan.retry import retry
from launchers.runs.run import open_run
from launchers.runs.stored import write_run


def step(name, need):
    return Step(name, need, work)


def submit(root):
    return Plan("p", root).submit()


def asked(run, attempt, *names):
    """What the only submission of an attempt asks for."""
    (submission,) = [one for one in run.record.submissions if one.attempt == attempt]
    parameters = {**submission.parameters, **(submission.parameters.get("additional_parameters") or {})}
    return (*(parameters.get(name) for name in names), submission.need, submission.seconds)


def test_an_escalation_of_a_need_multiplies_what_was_asked_last(queue):
    run = submit(step("a", "cpu(cores=2, mem=1G) & duration=1h"))
    for state, attempt, escalate in (("FAILED", 2, "mem*2, duration*1.5"), ("FAILED", 3, ""), ("FAILED", 4, "cores*2")):
        queue.end(run, a=state)
        assert retry(run, escalate=escalate) == ["a"]
        assert len(queue.sent) == attempt
    names = ("mem", "cpus_per_task", "time")
    more = "duration=1h30m & cpu(mem=2G, cores=2)"
    assert asked(run, 1, *names) == ("1024M", 2, 60, None, None)
    assert asked(run, 2, *names) == ("2048M", 2, 90, more, 5400)
    assert asked(run, 3, *names) == ("2048M", 2, 90, more, 5400)
    assert asked(run, 4, *names) == ("2048M", 4, 90, "duration=1h30m & cpu(mem=2G, cores=4)", 5400)


@pytest.mark.parametrize("mem", [{"mem": "100M"}, {"mem": 100}, {"mem_gb": 100 / 1024}, {"mem": "102400K"}])
def test_an_escalation_of_what_was_given_by_hand(queue, mem):
    run = submit(step("a", {"timeout_min": 10, "cpus_per_task": 3, **mem}))
    queue.end(run, a="FAILED")
    retry(run, escalate="mem*1.5, duration*1.25, cores*1.1")
    assert asked(run, 2, "mem", "time", "cpus_per_task") == ("150M", 13, 4, None, 780)
    queue.end(run, a="FAILED")
    retry(run, escalate="duration*2")
    assert asked(run, 3, "mem", "time", "cpus_per_task") == ("150M", 26, 4, None, 1560)


def test_an_escalation_of_slurm_args(queue):
    run = submit(step("a", SlurmArgs(time=10, mem_gb=2)))
    queue.end(run, a="FAILED")
    retry(run, escalate="mem*2")
    assert asked(run, 2, "mem", "time") == ("4096M", 10, None, None)


def test_memory_that_cannot_be_multiplied(queue):
    run = submit(step("a", {"mem": "ALL"}))
    queue.end(run, a="FAILED")
    with pytest.raises(RunError, match="step a: mem=ALL cannot be multiplied"):
        retry(run, escalate="mem*2")
    assert len(queue.sent) == 1


@pytest.mark.parametrize("text", ["mem*", "memory*2", "mem*2;cores*2", "mem*-1", "mem*0", "mem*0.0"])
def test_an_escalation_that_cannot_be_read(queue, capsys, text):
    run = submit(step("a", "cpu(cores=2, mem=1G)"))
    queue.end(run, a="FAILED")
    assert main(["retry", str(run.folder), "--escalate", text]) == 2
    assert "write mem*2, cores*2, duration*2, gpu_mem*2" in capsys.readouterr().err
    assert len(queue.sent) == 1


def test_what_only_a_script_says_cannot_be_multiplied(queue):
    run = submit(step("a", {"timeout_min": 5}))
    queue.end(run, a="FAILED")
    run.record.submissions = (evolve(run.record.submissions[0], script="job.sh"),)
    write_run(run.record)
    where = f"step a: its resources are written in {run.folder}/job.sh; change them there, then run retry again"
    with pytest.raises(RunError, match=f"^{where}$"):
        retry(run, escalate="duration*2")
    assert len(queue.sent) == 1
    assert retry(run) == ["a"]


def test_a_script_with_a_need_can_ask_for_more(queue):
    run = submit(step("a", "cpu(cores=2)"))
    queue.end(run, a="FAILED")
    run.record.submissions = (evolve(run.record.submissions[0], script="job.sh"),)
    write_run(run.record)
    assert retry(run, escalate="cores*2") == ["a"]
    assert run.record.submissions[1].need == "cpu(cores=4)"


def test_a_barrier_asks_for_nothing_that_is_multiplied(queue):
    left = [step(f"l{n}", SlurmArgs(time=1, cpus_per_task=n + 1)) for n in range(3)]
    run = submit(Chain(Parallel(*left), Map("r", SlurmArgs(time=2), work, range(7))))
    queue.end(run, l0="FAILED", r="CANCELLED")
    assert retry(run, escalate="duration*3") == ["l0", "r"]
    again = [submission for submission in run.record.submissions if submission.attempt == 2]
    assert [submission.parameters["time"] for submission in again] == [3, 6, 6, 6]


def test_nothing_happens_where_an_escalation_is_wrong(queue):
    run = submit(step("a", "cpu(cores=2)"))
    queue.end(run, a="FAILED")
    for escalate, said in (
        ("mem*2", "a: it asks for no mem"),
        ("mem", "--escalate 'mem': write mem"),
        ("cores*99", "nothing in far offers"),
    ):
        with pytest.raises(RunError, match=said):
            retry(run, escalate=escalate)
    assert len(open_run(run.folder).record.submissions) == 1
    assert queue.cancelled == []


def test_what_some_of_them_ask_for_can_be_multiplied(queue):
    run = submit(Parallel(step("a", "cpu(cores=2)"), step("b", "cpu(cores=2, mem=1G)")))
    queue.end(run, default="FAILED")
    assert retry(run, escalate="mem*2") == ["a", "b"]
    needs = {submission.name: submission.need for submission in run.record.submissions}
    assert (needs["a~2"], needs["b~2"]) == ("cpu(cores=2)", "cpu(mem=2G, cores=2)")


def test_a_group_that_is_not_there_any_more(queue, tmp_path):
    run = submit(step("a", "cpu(cores=2)"))
    queue.end(run, a="FAILED")
    write_config(tmp_path, slurm=[slurm_entry("other", {"c": partition(cores=64)})])
    with pytest.raises(RunError, match="step a: the launcher group far of this run is not configured any more"):
        retry(run, escalate="cores*2")
    other = write_config(tmp_path, name="other.yaml", slurm=[slurm_entry("far", {"d": partition(cores=64)})])
    assert retry(run, escalate="cores*2", config=other) == ["a"]
    assert asked(run, 2, "partition", "cpus_per_task")[:2] == ("d", 4)


class Resumable:
    def __call__(self, *_):
        pass

    def checkpoint(self, *_):
        pass


def test_what_can_go_on_from_a_checkpoint_still_can(queue):
    run = submit(Step("a", "cpu(cores=2)", Resumable()))
    queue.end(run, a="FAILED")
    retry(run, escalate="cores*2")
    assert asked(run, 2, "signal_delay_s") == (90, "cpu(cores=4)", None)
    assert asked(run, 1, "signal_delay_s")[0] == 90
    run = submit(step("a", "cpu(cores=2)"))
    queue.end(run, a="FAILED")
    retry(run, escalate="cores*2")
    assert asked(run, 2, "signal_delay_s")[0] is None


def test_what_ran_outside_srun_still_does(queue):
    outside = step("a", "cpu(cores=2)")
    outside.srun = False
    run = submit(outside)
    queue.end(run, a="FAILED")
    retry(run, escalate="cores*2")
    assert asked(run, 2, "use_srun", "cpus_per_task")[:2] == (False, 4)
