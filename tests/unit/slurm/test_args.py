"""What sbatch is asked: options, directives, and parameters of submitit."""

from datetime import timedelta

import pytest

from launchers.slurm.args import MailType, SlurmArgs, time_limit_minutes

ALL = SlurmArgs(
    time="1:00:00", partition="p", gpus_per_node="a100:2", gres="gpu:1", nodes=2, ntasks_per_node=3, cpus_per_task=4,
    cpus_per_gpu=5, mem="1G", constraint="a b", exclude="n1", nodelist="n2", qos="q", account="acc", reservation="r",
    cluster="c", exclusive=True, mail_type=("end", MailType.FAIL), mail_user="me@x", additional_params={"wckey": "w", "no_kill": True},
)  # fmt: skip


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        (None, None), (0, 0), (90, 90), ("90", 90), ("0", 0), ("UNLIMITED", 0), ("0:01", 1), ("1:01", 2), ("1-0", 1440),
        (timedelta(seconds=60), 1), (timedelta(seconds=61), 2), (timedelta(0), 1),
    ],
)  # fmt: skip
def test_time_limits_are_whole_minutes(time, minutes):
    assert time_limit_minutes(time) == minutes


@pytest.mark.parametrize(
    ("time", "error", "message"),
    [
        (-1, ValueError, "cannot be negative: -1"), ("soon", ValueError, "'soon' is not a time limit"),
        (True, TypeError, "not True"), (1.5, TypeError, "a whole number of minutes or a timedelta, not 1.5"),
    ],
)  # fmt: skip
def test_what_is_no_time_limit(time, error, message):
    with pytest.raises(error, match=message):
        time_limit_minutes(time)


def test_options_directives_and_flags():
    assert SlurmArgs().options() == {"nodes": 1}
    assert ALL.flags() == [
        "--clusters=c", "--account=acc", "--qos=q", "--partition=p", "--reservation=r", "--constraint=a b", "--nodelist=n2",
        "--exclude=n1", "--nodes=2", "--ntasks-per-node=3", "--cpus-per-task=4", "--cpus-per-gpu=5", "--gpus-per-node=a100:2",
        "--gres=gpu:1", "--mem=1024M", "--time=60", "--exclusive", "--mail-type=END,FAIL", "--mail-user=me@x", "--wckey=w",
        "--no-kill",
    ]  # fmt: skip
    directives = ALL.directives()
    assert "#SBATCH --constraint='a b'" in directives
    assert "#SBATCH --exclusive" in directives
    assert len(directives) == len(ALL.flags())


def test_parameters_of_submitit():
    found = ALL.submitit()
    assert found.pop("additional_parameters") == {
        "clusters": "c", "reservation": "r", "cpus-per-gpu": 5, "mem": "1024M", "wckey": "w", "no-kill": True,
    }  # fmt: skip
    assert found == {
        "time": 60, "account": "acc", "qos": "q", "partition": "p", "constraint": "a b", "nodelist": "n2", "exclude": "n1",
        "nodes": 2, "ntasks_per_node": 3, "cpus_per_task": 4, "gpus_per_node": "a100:2", "gres": "gpu:1", "exclusive": True,
        "mail_type": "END,FAIL", "mail_user": "me@x",
    }  # fmt: skip
    assert SlurmArgs().submitit() == {"time": None, "nodes": 1}


@pytest.mark.parametrize(
    ("memory", "mib"),
    [({}, None), ({"mem": 1}, 1), ({"mem": 1024**2 + 1}, 2), ({"mem_gb": 1}, 1024), ({"mem_gb": 0.0001}, 1), ({"mem": "2G", "mem_gb": 1}, 2048)],
)  # fmt: skip
def test_memory_is_whole_mebibytes(memory, mib):
    assert SlurmArgs(**memory).mem_mib == mib


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"partition": "a\nb"},
            "partition has a line break or control character, which sbatch would misread: 'a\\\\nb'",
        ),
        ({"additional_params": {"a b": 1}}, "additional_params: 'a b' cannot be the name of an sbatch option"),
        ({"additional_params": [("wckey", "a\0")]}, "additional_params: wckey has a line break or control character"),
        ({"mail_type": "sometimes"}, "SOMETIMES"),
    ],
)
def test_values_that_sbatch_would_misread(arguments, message):
    with pytest.raises(ValueError, match=message):
        SlurmArgs(**arguments)


def test_one_mail_type_needs_no_list():
    assert SlurmArgs(mail_type="end").mail_type == SlurmArgs(mail_type=MailType.END).mail_type == (MailType.END,)
