"""`launchers probe`: what it runs, what it writes, and its exit statuses."""

import pytest
from connectors import Answers
from slurm_texts import node, partition, text_of

from launchers.cli import main
from launchers.files.output import YAML, seal

SMI = "0, GPU-x, NVIDIA A100-SXM4-40GB, 40536, Disabled\n"
TWO = node("n1", Gres="gpu:gen:2") + node("n2", Gres="gpu:a100:2") + partition()


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """Sets what srun answers; the commands that were run are in `asked`. The facts file is facts.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts.yaml").write_text(seal(text_of(TWO), YAML))
    cluster = Answers()

    def answer(*answers):
        cluster.answers |= {
            ("srun", "--partition=p", f"--nodelist=n{number}"): one for number, one in enumerate(answers, 1)
        }
        monkeypatch.setattr("launchers.cli.probe.LocalConnector", lambda: cluster)
        return cluster

    return answer


def test_it_writes_what_the_driver_knows(driver, capsys, tmp_path):
    cluster = driver(SMI, SMI)
    assert main(["probe", "facts.yaml"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:2] == ["--- facts.yaml (before)", "+++ facts.yaml (now)"]
    text = (tmp_path / "facts.yaml").read_text()
    assert "\n# Written by `launchers convert`, GPU memory filled in by `launchers probe`.\n" in text
    assert '{kind: cuda, model: "NVIDIA A100-SXM4-40GB", memory: 40G, count: 2, type: gen, probed: n1}' in text
    assert "{kind: cuda, model: A100, memory: 40G, count: 2, type: a100, probed: n2}" in text
    assert len(cluster.asked) == 2
    assert main(["probe", "facts.yaml"]) == 0
    assert capsys.readouterr().err == "launchers probe: the memory of every GPU is known\n"
    assert len(cluster.asked) == 2


def test_it_says_which_node_has_no_driver(driver, capsys, tmp_path):
    driver((1, "sh: nvidia-smi: not found\n"), SMI)
    assert main(["probe", "facts.yaml"]) == 1
    assert capsys.readouterr().err == "launchers probe: n1: sh: nvidia-smi: not found\n"
    assert "probed: n2" in (tmp_path / "facts.yaml").read_text()
    before = (tmp_path / "facts.yaml").stat().st_mtime_ns
    assert main(["probe", "facts.yaml"]) == 1
    assert (tmp_path / "facts.yaml").stat().st_mtime_ns == before


def test_a_dry_run_runs_nothing(driver, capsys, tmp_path):
    cluster = driver(SMI, SMI)
    assert main(["probe", "facts.yaml", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "srun --partition=p --nodelist=n1 --nodes=1 --ntasks=1 --gpus-per-node=gen:1 --time=2 --immediate=120 "
        "--job-name=launchers-probe",
        "srun --partition=p --nodelist=n2 --nodes=1 --ntasks=1 --gpus-per-node=a100:1 --time=2 --immediate=120 "
        "--job-name=launchers-probe",
    ]
    assert cluster.asked == []


def test_a_launchers_yaml_names_the_facts(driver, capsys, tmp_path):
    driver(SMI, SMI)
    (tmp_path / "launchers.yaml").write_text("slurm: [{facts: facts.yaml}]\n")
    assert main(["probe", "launchers.yaml"]) == 0
    assert "probed: n1" in (tmp_path / "facts.yaml").read_text()
    assert (tmp_path / "launchers.yaml").read_text() == "slurm: [{facts: facts.yaml}]\n"


def test_a_file_that_cannot_be_written(driver, capsys, monkeypatch):
    driver(SMI, SMI)

    def fail(*_, **_keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("launchers.files.output.write_atomically", fail)
    assert main(["probe", "facts.yaml"]) == 1
    assert capsys.readouterr().err == "launchers probe: facts.yaml: cannot be written: No space left on device\n"


def test_a_file_of_the_user_is_refused_before_a_job_runs(driver, capsys, tmp_path):
    cluster = driver(SMI, SMI)
    (tmp_path / "facts.yaml").write_text(text_of(TWO) + "# mine\n")
    assert main(["probe", "facts.yaml"]) == 2
    assert "launchers did not write this file" in capsys.readouterr().err
    assert cluster.asked == []
    assert main(["probe", "facts.yaml", "--force"]) == 0
    assert (tmp_path / "facts.yaml.bak").read_text().endswith("# mine\n")
