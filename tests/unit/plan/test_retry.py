"""Which jobs a retry submits again, and what they wait for."""

from pathlib import Path

import pytest
from plans import CPU, GPU, work
from slurm_queue import SlurmQueue

from launchers import SlurmArgs
from launchers.jobs.backend import JobInfo, RefusedError
from launchers.plan import Chain, Dag, Map, Parallel, Plan, Step
from launchers.plan.retry import retry, retry_due_steps
from launchers.plan.tree import RetryPolicy
from launchers.runs.run import open_run
from launchers.runs.send import SubmitError
from launchers.slurm.backend import SlurmBackend


def step(name, need=CPU, **keys):
    return Step(name, need, work, **keys)


def some_map(name, count, **keys):
    return Map(name, CPU, work, range(count), **keys)


def submit(*nodes):
    return Plan("p", Chain(*nodes)).submit()


def fresh(run, attempt=2):
    """The submissions of an attempt: their members, and what they wait for in the run."""
    return {
        submission.name: (
            [step if item is None else (step, item) for step, item in submission.members],
            [(parent.kind, parent.submission, parent.index) for parent in submission.parents],
        )
        for submission in run.record.submissions
        if submission.attempt == attempt
    }


# -- which jobs ------------------------------------------------------------------------------------------------


def test_nothing_failed(queue):
    run = submit(step("a"), step("b"))
    queue.end(run)
    assert retry(run) == []
    assert (len(queue.sent), fresh(run)) == (2, {})


def test_what_still_waits_or_runs_is_left_alone(queue):
    run = submit(Parallel(step("a"), step("b", GPU), step("c", SlurmArgs(time=1))))
    queue.end(run, a="PENDING", b="RUNNING", c="COMPLETED")
    assert retry(run) == []


def test_what_failed_and_what_hung_on_it(queue):
    run = submit(step("z"), step("a"), step("b"))
    queue.end(run, a="FAILED", b="CANCELLED")
    assert retry(run) == ["a", "b"]
    assert fresh(run) == {"a~2": (["a"], []), "b~2": (["b"], [("afterok", "a~2", None)])}
    assert queue.dependencies["b~2"] == [("afterok", "a~2", None)]
    assert fresh(open_run(run.folder)) == fresh(run)  # it is on disk


def test_what_was_refused_waits_for_the_new_attempt_of_what_it_waits_for(queue, monkeypatch):
    refused = ["c"]

    def send(requests):
        if requests[0].submission.name in refused:
            raise RefusedError(["no"])
        return queue._send(requests)

    monkeypatch.setattr(SlurmBackend, "send", staticmethod(send))
    monkeypatch.setattr(SlurmBackend, "find_token", lambda *_: None)
    plan = Plan("p", Chain(step("a"), step("b"), step("c"), step("d"), Parallel(step("e"))))
    with pytest.raises(SubmitError):
        plan.submit(on_refusal="leave")
    (folder,) = Path("runs").iterdir()
    run = open_run(folder)
    for name, state in (("1", "COMPLETED"), ("2", "FAILED")):
        queue.infos[name, None] = JobInfo(state)
    refused.clear()
    assert retry(run) == ["b", "c", "d", "e"]
    assert fresh(run) == {
        "b~2": (["b"], []), "c~2": (["c"], [("afterok", "b~2", None)]), "d~2": (["d"], [("afterok", "c~2", None)]),
        "e~2": (["e"], [("afterok", "d~2", None)]),
    }  # fmt: skip
    assert [request.submission.name for request in queue.sent] == ["a", "b", "b~2", "c~2", "d~2", "e~2"]
    assert set(run.record.folder.journal.state().never) == {"c", "d", "e"}


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"])
def test_every_end_without_success_counts(queue, state):
    run = submit(step("a"))
    queue.end(run, a=state)
    assert retry(run) == ["a"]


def test_a_further_attempt_of_a_further_attempt(queue):
    run = submit(step("a"), step("b"))
    queue.end(run, a="FAILED", b="CANCELLED")
    retry(run)
    queue.end(run, a="COMPLETED", b="FAILED")
    assert retry(run) == ["b"]
    assert fresh(run, 3) == {"b~3": (["b"], [])}
    tokens = [submission.token for submission in run.record.submissions]
    assert tokens == [f"launchers-{run.record.id}-{number}" for number in range(5)]


def test_only_these_and_what_waits_for_them(queue):
    run = submit(Parallel(Chain(step("a"), step("b")), Chain(step("x", GPU), step("y", GPU))))
    queue.end(run, default="FAILED", b="CANCELLED", y="CANCELLED")
    assert retry(run, only=["x"]) == ["x", "y"]
    assert fresh(run) == {"x~2": (["x"], []), "y~2": (["y"], [("afterok", "x~2", None)])}


def test_what_waits_for_a_failure_that_is_not_run_again_cannot_start(queue):
    steps = [step("one"), step("other", GPU), step("both")]
    run = submit(Dag(*steps, after={"both": {"one": "ok", "other": "ok"}}))
    queue.end(run, one="FAILED", other="FAILED", both="CANCELLED")
    assert retry(run, only=["one"]) == ["one"]


def test_what_waits_for_a_failure_runs_again_only_where_that_may_come(queue):
    run = submit(step("a"), step("rescue", on="failed"), step("then"))
    queue.end(run, a="COMPLETED", rescue="CANCELLED", then="CANCELLED")
    assert retry(run) == []
    run = submit(step("a"), step("rescue", on="failed"))
    queue.end(run, a="FAILED", rescue="FAILED")
    assert retry(run) == ["a", "rescue"]
    assert fresh(run)["rescue~2"] == (["rescue"], [("afternotok", "a~2", None)])


def test_what_nobody_knows_anything_of_is_not_waited_for_again(queue):
    """A parent that may never have succeeded, and is not run again."""
    run = submit(step("a"), step("b"))
    queue.end(run, a="UNKNOWN", b="FAILED")
    assert retry(run) == []


def test_what_waits_for_ever_is_cancelled_and_run_again(queue):
    run = submit(step("a"), step("b"))
    queue.end(run, a="FAILED", b="PENDING", reason="DependencyNeverSatisfied")
    assert retry(run) == ["a", "b"]
    assert queue.cancelled == [("2", None)]


# -- arrays ----------------------------------------------------------------------------------------------------


def test_some_of_equal_siblings(queue):
    run = submit(Parallel(*[step(f"t{n}") for n in range(3)]), step("z"))
    queue.end(run, t1="FAILED", t2="FAILED", z="CANCELLED")
    assert retry(run) == ["t1", "t2", "z"]
    assert fresh(run) == {"t0~2": (["t1", "t2"], []), "z~2": (["z"], [("afterok", "t0~2", None)])}


def test_of_one_array_but_tried_again_apart(queue):
    run = submit(Parallel(step("t0"), step("t1")))
    queue.end(run, t0="FAILED", t1="RUNNING")
    assert retry(run) == ["t0"]
    queue.end(run, t0="FAILED", t1="FAILED")
    assert retry(run) == ["t0", "t1"]
    assert {name: members for name, (members, _) in fresh(run, 3).items()} == {"t0~3": ["t1"], "t0~3.1": ["t0"]}


def test_what_waits_for_siblings_that_are_now_apart(queue):
    run = submit(Parallel(step("t0"), step("t1")), step("z"))
    queue.end(run, t0="FAILED", t1="RUNNING", z="CANCELLED")
    assert retry(run) == ["t0", "z"]
    assert fresh(run)["z~2"] == (["z"], [("afterok", "t0~2", None), ("afterok", "t0", 1)])
    assert queue.dependencies["z~2"] == [("afterok", "t0~2", None), ("afterok", "t0", 1)]


def test_items_of_a_map(queue):
    run = submit(some_map("m", 3), step("z"))
    queue.end(run, m_1="FAILED", z="CANCELLED")
    assert retry(run) == ["m", "z"]
    assert fresh(run) == {"m~2": ([("m", 1)], []), "z~2": (["z"], [("afterok", "m~2", None)])}


def test_item_by_item_where_two_run_again(queue):
    run = submit(some_map("m", 3), some_map("n", 3, on="each"))
    queue.end(run, m_0="FAILED", m_2="FAILED", n_0="CANCELLED", n_2="CANCELLED")
    assert retry(run) == ["m", "n"]
    assert fresh(run)["n~2"] == ([("n", 0), ("n", 2)], [("aftercorr", "m~2", None)])


def test_item_by_item_where_one_runs_again(queue):
    """aftercorr pairs arrays, and this is none."""
    run = submit(some_map("m", 3), some_map("n", 3, on="each"))
    queue.end(run, m_1="FAILED", n_1="CANCELLED")
    retry(run)
    assert fresh(run)["n~2"] == ([("n", 1)], [("afterok", "m~2", None)])


def test_item_by_item_where_others_run_again(queue):
    run = submit(some_map("m", 3), some_map("n", 3, on="each"))
    queue.end(run, m_0="FAILED", m_2="FAILED", n_0="CANCELLED", n_1="FAILED", n_2="CANCELLED")
    retry(run)
    assert fresh(run)["n~2"] == ([("n", 0), ("n", 1), ("n", 2)], [("afterok", "m~2", None)])


def test_item_by_item_an_item_that_failed_alone_waits_for_nothing(queue):
    run = submit(some_map("m", 3), some_map("n", 3, on="each"))
    queue.end(run, n_1="FAILED")
    assert retry(run) == ["n"]
    assert fresh(run) == {"n~2": ([("n", 1)], [])}


def test_arrays_with_a_limit_still_run_one_after_the_other(queue):
    run = submit(some_map("m", 7, at_once=2))
    assert queue.dependencies["m.1"] == [("afterany", "m.0", None)]
    queue.end(run, m_1="FAILED", m_4="FAILED", m_6="FAILED")
    assert retry(run) == ["m"]
    assert fresh(run) == {
        "m.0~2": ([("m", 1)], []),
        "m.1~2": ([("m", 4)], [("afterany", "m.0~2", None)]),
        "m.2~2": ([("m", 6)], [("afterany", "m.1~2", None)]),
    }


def test_an_array_between_that_has_succeeded_is_passed_over(queue):
    run = submit(some_map("m", 7, at_once=2))
    queue.end(run, m_1="FAILED", m_6="FAILED")
    retry(run)
    assert fresh(run)["m.2~2"] == ([("m", 6)], [("afterany", "m.0~2", None)])


def test_arrays_of_one_job_that_run_one_after_the_other(monkeypatch, queue):
    queue = SlurmQueue(monkeypatch, array=1)
    run = submit(some_map("m", 4, at_once=1))
    queue.end(run, m_0="FAILED", m_3="FAILED")
    retry(run)
    assert fresh(run) == {"m.0~2": ([("m", 0)], []), "m.3~2": ([("m", 3)], [("afterany", "m.0~2", None)])}


# -- what they wait for ----------------------------------------------------------------------------------------


def test_what_still_runs_is_waited_for(queue):
    steps = [step("bad"), step("long", GPU), step("both")]
    run = submit(Dag(*steps, after={"both": {"bad": "ok", "long": "ok"}}))
    queue.end(run, bad="FAILED", long="RUNNING", both="CANCELLED")
    assert retry(run) == ["bad", "both"]
    assert fresh(run)["both~2"] == (["both"], [("afterok", "bad~2", None), ("afterok", "long", None)])


@pytest.mark.parametrize(("state", "kept"), [("RUNNING", False), ("COMPLETED", False), ("PENDING", True)])
def test_a_start_that_was_is_not_waited_for(queue, state, kept):
    run = submit(step("a"), step("b", on="started"))
    queue.end(run, a=state, b="FAILED")
    assert retry(run) == ["b"]
    assert fresh(run)["b~2"] == (["b"], [("after", "a", None)] if kept else [])


def test_what_failed_and_is_waited_for_in_any_case_is_waited_for_again(queue):
    run = submit(step("a"), step("b", on="any"))
    queue.end(run, a="FAILED", b="FAILED")
    assert retry(run) == ["a", "b"]
    assert fresh(run)["b~2"] == (["b"], [("afterany", "a~2", None)])
    run = submit(step("a"), step("b", on="any"))
    queue.end(run, a="FAILED", b="COMPLETED")
    assert retry(run) == ["a"]


def test_a_barrier_stands_for_what_was_before_it(queue):
    left = [step(f"l{n}", SlurmArgs(time=1, cpus_per_task=n + 1)) for n in range(3)]
    run = submit(Parallel(*left), some_map("r", 7))
    assert queue.dependencies["r.0"] == [("afterok", "before-r", None)]
    queue.end(run, l0="FAILED", l2="RUNNING", r="CANCELLED")
    assert retry(run) == ["l0", "r"]
    parents = [("afterok", "l0~2", None), ("afterok", "l2", None)]
    assert fresh(run) == {
        "l0~2": (["l0"], []),
        "r.0~2": ([("r", n) for n in range(3)], parents),
        "r.1~2": ([("r", n) for n in range(3, 6)], parents),
        "r.2~2": ([("r", 6)], parents),
    }


# -- by themselves ---------------------------------------------------------------------------------------------


def retried(name, times, escalate="", need="cpu(cores=1, mem=1G)"):
    again = step(name, need)
    again.retry = RetryPolicy(times, escalate)
    return again


def test_a_step_is_submitted_again_as_often_as_it_says(queue):
    run = submit(retried("a", 2, "mem*2"))
    for _ in range(2):
        queue.end(run, a="FAILED")
        assert retry_due_steps(run) == [("a", "mem*2")]
    queue.end(run, a="FAILED")
    assert retry_due_steps(run) == []
    assert [submission.need for submission in run.record.submissions] == [
        None, "cpu(mem=2G, cores=1)", "cpu(mem=4G, cores=1)",
    ]  # fmt: skip


@pytest.mark.parametrize(("state", "due"), [
    ("COMPLETED", False), ("CANCELLED", False), ("RUNNING", False), ("TIMEOUT", True),
])  # fmt: skip
def test_when_a_step_is_due(queue, state, due):
    run = submit(retried("a", 1))
    queue.end(run, a=state)
    assert (retry_due_steps(run) == [("a", "")]) == due


def test_a_step_is_due_when_all_of_it_has_ended(queue):
    again = some_map("m", 2)
    again.retry = RetryPolicy(1, "")
    run = submit(again)
    queue.end(run, m_0="FAILED", m_1="RUNNING")
    assert retry_due_steps(run) == []
    queue.end(run, m_1="COMPLETED")
    assert retry_due_steps(run) == [("m", "")]
    assert fresh(run) == {"m~2": ([("m", 0)], [])}


def test_steps_without_a_policy_are_not_submitted_again_by_themselves(queue):
    run = submit(Parallel(retried("a", 1), step("b")))
    queue.end(run, default="FAILED")
    assert retry_due_steps(run) == [("a", "")]
    run = submit(step("b"))
    queue.end(run, default="FAILED")
    assert retry_due_steps(run) == []


def test_where_no_step_has_a_policy_nobody_is_asked(queue, monkeypatch):
    run = submit(step("a"))
    monkeypatch.setattr("launchers.slurm.backend.SlurmBackend.states", None)
    assert retry_due_steps(run) == []
