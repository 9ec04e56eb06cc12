"""What one job of this machine asks for."""

import json
import os

import pytest

from launchers.local.args import LocalArgs, capacity, empty_job, read_args, render
from launchers.local.jobs import Capacity, Wanted
from launchers.matching import match
from launchers.offer.model import Access, Device, Group, Partition, Shape
from launchers.requirement import parse

G = 1024**3
DEVICES = (
    Device("cuda", 2, 40 * G, "A100", handles=("GPU-a", "GPU-b")), Device("cuda", 2, 24 * G, "RTX3090"), Device("rocm", 1),
)  # fmt: skip


def group(devices=DEVICES, tokens=(("licence", 2),)):
    shape = Shape("box", 8, 16 * G, devices, count=1, available=1)
    return Group("box", "local", (Partition("", (shape,), (Access(),)),), tokens=tokens)


def args_for(need):
    return render(match(parse(need), (group(),)).selection)


def test_what_a_need_asks_for():
    assert args_for("cpu(cores=2, mem=1G) & duration=1h & cuda(mem=30G)") == LocalArgs(
        cores=2, memory=G, wanted=(Wanted("cuda", 30 * G),), tokens=("licence",), time_limit=3600, capacity=capacity(group()),
    )  # fmt: skip


def test_what_is_not_asked_for():
    args = args_for("gpu()")
    assert (args.cores, args.memory, args.wanted, args.time_limit) == (1, 0, (Wanted("gpu"),), None)
    assert args_for("cpu(cores=1)").wanted == ()


def test_devices_without_handles_are_numbered():
    assert capacity(group()) == Capacity(
        8, 16 * G,
        (("cuda", "GPU-a", "A100", 40 * G), ("cuda", "GPU-b", "A100", 40 * G), ("cuda", "2", "RTX3090", 24 * G),
         ("cuda", "3", "RTX3090", 24 * G), ("rocm", "4", None, None)),
        (("licence", 2),),
    )  # fmt: skip
    assert capacity(group(devices=(Device("cuda", None),))).devices == (("cuda", "0", None, None),)


def test_parameters_are_read_as_they_were_written():
    args = args_for("cpu(cores=2, mem=1G) & duration=1h & cuda(mem=30G)*2")
    assert read_args(json.loads(json.dumps(args.submitit()))) == args
    unlimited = args_for("cpu(cores=1)")
    assert read_args(json.loads(json.dumps(unlimited.submitit()))) == unlimited


@pytest.mark.parametrize("change", [{"cores": "many"}, {"wanted": 5}, {"capacity": None}, {"wanted": [{"sort": 1}]}])
def test_what_are_no_parameters(change):
    parameters = args_for("cpu(cores=1)").submitit()
    with pytest.raises((TypeError, ValueError)):
        read_args({**parameters, **change})


def test_there_is_no_command_and_no_script():
    assert (args_for("cpu(cores=1)").flags(), args_for("cpu(cores=1)").directives()) == ([], [])


def test_a_job_that_has_nothing_to_run_yet():
    job = empty_job(args_for("cpu(cores=2, mem=1G) & duration=1h & cuda(mem=30G)"))
    assert (job.id, job.argv, job.stdout, job.stderr) == ("", (), os.devnull, os.devnull)
    assert (job.cores, job.memory, job.wanted, job.tokens, job.time_limit) == (
        2, G, (Wanted("cuda", 30 * G),), (("licence", 1),), 3600,
    )  # fmt: skip
