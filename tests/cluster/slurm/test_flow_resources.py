"""What a job of a flow asks of the real Slurm: options that are passed on, and where the broker looks then."""

import pytest
from flows import log, newest_run, write_page

from launchers.cli import main


def test_account_qos_constraint_and_typed_gres_are_passed(slurm):
    text = """
name: exact
jobs:
  - name: a
    command: [sh, -c, "scontrol show job $SLURM_JOB_ID"]
    resources: {gres: "gpu:v100:1", account: vision, qos: normal, constraint: "intel|amd", partition: gpu, time_limit: "0:10:00",
                memory_per_node: 1G, mail_type: [END], mail_user: someone@example.org}
"""
    assert main(["flow", "run", write_page(text)]) == 0
    said = log(newest_run(), "a")
    for part in (
        "Account=vision",
        "QOS=normal",
        "Partition=gpu",
        "TimeLimit=00:10:00",
        "v100",
        "MailUser=someone@example.org",
    ):
        assert part in said, (part, said)


@pytest.mark.parametrize(
    ("keys", "nodes"),
    [
        ("nodelist: cpu02", {"cpu02"}),
        ("constraint: icelake", {"cpu01", "cpu02", "cpu03"}),
        ("constraint: '(milan|v100)&amd'", {"cpu04"}),
        ("partition: 'bigmem,debug', constraint: bigmem", {"mem01", "mem02"}),
        ("gres: 'gpu:rtx3090:2'", {"rtx-01", "rtx-02"}),
    ],
)
def test_the_broker_looks_only_where_the_options_leave(slurm, keys, nodes):
    assert (
        main(
            ["flow", "run", write_page(f"name: x\njobs:\n- {{name: a, command: 'echo $SLURM_JOB_NODELIST', {keys}}}\n")]
        )
        == 0
    )
    assert log(newest_run(), "a").strip() in nodes


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("partition: nosuch", "testbed has no place for a (it has no partition nosuch)"),
        ("nodelist: nosuch01", "testbed has no place for a (it has no node with nodelist=nosuch01 there)"),
        ("constraint: nosuch", "testbed has no place for a (it has no node with constraint=nosuch there)"),
        (
            "partition: cpu, gres: 'gpu:a100:1'",
            "testbed has no place for a (it has no node with gres=gpu:a100:1 there)",
        ),
        ("qos: nosuch", "sbatch refused a"),
        ("constraint: '(a'", "'(a' is not a constraint: a parenthesis is not closed"),
        ("nodelist: 'n['", "'n[' has a [ without its ]"),
    ],
)
def test_options_that_leave_nothing_are_refused_at_once(slurm, capsys, keys, said):
    assert main(["flow", "run", write_page(f"name: x\njobs:\n- {{name: a, command: [ls], {keys}}}\n")]) != 0
    assert said in capsys.readouterr().err


def test_several_nodes_and_tasks_and_one_script(slurm):
    """The script runs once; srun inside it starts the tasks."""
    text = """
name: wide
jobs:
  - {name: a, command: "echo once; srun -l hostname | wc -l", nodes: 2, ntasks_per_node: 3, cpus_per_task: 2, partition: cpu}
"""
    assert main(["flow", "run", write_page(text)]) == 0
    assert log(newest_run(), "a") == "once\n6\n"
