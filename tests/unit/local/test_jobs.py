"""The table of a folder's jobs, and which jobs can never run."""

import json
import os

import pytest
from local_jobs import job

from launchers.errors import RunError
from launchers.local.jobs import (
    Capacity,
    LocalJob,
    Wanted,
    make_private,
    read_capacity_entry,
    read_table,
    why_impossible,
    write_table,
)

CAPACITY = Capacity(8, 2**30, (("cuda", "GPU-a", "A100", 40 << 30), ("rocm", "0", None, None)), (("licence", 2),))
EVERYTHING = LocalJob(
    "a", ("sh", "-c", "x"), "/", "/out", "/err", name="n", env=(("A", "1"),), cores=2, memory=3, time_limit=4, warning=5,
    wanted=(Wanted("cuda", 1, "A100"), Wanted()), tokens=(("licence", 1),), requeue=6, requeues=7,
    after=(("ok", "b"), ("notok", "c\nd")),
)  # fmt: skip


def test_a_table_is_read_as_it_was_written(tmp_path):
    jobs = [EVERYTHING, job("c", "true"), job("b", "true")]
    write_table(tmp_path / "deep" / "r", CAPACITY, jobs)
    capacity, found = read_table(tmp_path / "deep" / "r")
    assert capacity == CAPACITY
    assert list(found) == ["a", "c", "b"]
    assert list(found.values()) == jobs
    assert sorted(path.name for path in (tmp_path / "deep" / "r").iterdir()) == [
        ".scheduler.pid", "capacity.json", "health.json", "jobs.jsonl", "scheduler.lock",
    ]  # fmt: skip


def test_a_table_is_for_its_user_alone(tmp_path):
    before = os.umask(0)
    write_table(tmp_path / "r", Capacity(), [])
    os.umask(before)
    assert (tmp_path / "r").stat().st_mode & 0o777 == 0o700
    assert make_private(tmp_path / "r") == tmp_path / "r"
    assert read_table(tmp_path / "r") == (Capacity(), {})


def test_a_capacity_that_json_has_lists_for():
    assert read_capacity_entry(
        json.loads('{"cores": 1, "memory": null, "devices": [["a", "b", null, 2]], "tokens": []}')
    ) == (Capacity(1, None, (("a", "b", None, 2),)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda entry: entry.pop("after"), "not a job: 'after'"),
        (lambda entry: entry.update(argv=5), "not a job: "),
        (lambda entry: entry.update(wanted=[{"sort": "cuda"}]), "not a job: "),
        (lambda entry: entry.update(cores="two"), "LocalJob: cores is 'two'"),
        (lambda entry: entry.update(colour="red"), "there is no 'colour' in LocalJob"),
        (lambda entry: entry.update(env=[["A", 1]]), "LocalJob: env is "),
        (lambda entry: entry.pop("cwd"), "LocalJob has no 'cwd'"),
    ],
)
def test_a_line_that_is_no_job(tmp_path, change, reason):
    write_table(tmp_path, CAPACITY, [job("b", "true"), EVERYTHING])
    path = tmp_path / "jobs.jsonl"
    first, second = path.read_text().splitlines()
    entry = json.loads(second)
    change(entry)
    path.write_text(f"{first}\n{json.dumps(entry)}\n")
    with pytest.raises(RunError) as caught:
        read_table(tmp_path)
    assert f"{path}:2: {reason}" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[" * 100_000, '{"cores": 1, "memory": 1, "devices": 5, "tokens": []}']
)
def test_what_is_no_capacity(tmp_path, text):
    write_table(tmp_path, CAPACITY, [])
    (tmp_path / "capacity.json").write_text(text)
    with pytest.raises(RunError, match=r"capacity\.json:1: this is not what a machine offers to a run"):
        read_table(tmp_path)


def test_a_capacity_that_is_not_there(tmp_path):
    write_table(tmp_path, CAPACITY, [])
    (tmp_path / "capacity.json").unlink()
    with pytest.raises(RunError, match=r"capacity\.json cannot be read: No such file"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("wants", "why"),
    [
        ({"cores": 8, "memory": 2**30, "wanted": (Wanted("cuda"), Wanted("rocm")), "tokens": (("licence", 2),)}, ""),
        ({"cores": 9}, "asks for 9 cores; this machine offers 8"),
        ({"memory": 2**30 + 1}, f"asks for {2**30 + 1} bytes of memory; this machine offers {2**30} bytes"),
        ({"wanted": (Wanted(),) * 3}, "asks for 3 accelerators; this machine offers 2"),
        (
            {"wanted": (Wanted("cuda", 80 << 30),)},
            "asks for the accelerators cuda 80G; this machine offers cuda A100 40G, rocm",
        ),
        (
            {"wanted": (Wanted("cuda", model="H100"),)},
            "asks for the accelerators cuda H100; this machine offers cuda A100 40G, rocm",
        ),
        ({"wanted": (Wanted("mps"),)}, "asks for the accelerators mps; this machine offers cuda A100 40G, rocm"),
        (
            {"wanted": (Wanted("rocm"),) * 2},
            "asks for the accelerators 2 x rocm; this machine offers cuda A100 40G, rocm",
        ),
        ({"wanted": (Wanted("rocm"), Wanted("cuda", 40 << 30))}, ""),
        ({"tokens": (("licence", 3),)}, "asks for 3 of token licence; there are 2"),
        ({"tokens": (("other", 3),)}, ""),
    ],
)
def test_what_can_never_run(wants, why):
    assert why_impossible(job("a", "true", **wants), CAPACITY) == why


def test_without_limits_everything_can_run():
    assert why_impossible(job("a", "true", cores=1000, memory=2**50, tokens=(("x", 9),)), Capacity()) == ""


def test_what_a_job_asks_for_by_itself():
    plain = job("a", "true")
    assert (plain.cores, plain.memory, plain.wanted, plain.tokens, plain.after) == (1, 0, (), (), ())
    assert (plain.time_limit, plain.warning, plain.requeue, plain.requeues) == (None, 0, None, 6)
    assert Wanted() == Wanted("gpu", 0, None)
