"""`launchers find`: the selection as a table, as script lines and as JSON."""

import json
from pathlib import Path

import pytest
from config_files import local_entry, oar_entry, partition, slurm_entry, write_config

from launchers.cli import main

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = str(ROOT / "launchers.example.yaml")


@pytest.fixture
def find(capsys):
    """Run `launchers find`; its exit status, its output, and what it writes to stderr."""

    def run(config, *argv):
        status = main(["find", "--config", str(config), *argv])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def rows(out):
    """The lines of a table, as name and value."""
    return [tuple(line.split(maxsplit=1)) for line in out.splitlines()]


def test_a_selection_as_a_table(find):
    status, out, err = find(EXAMPLE, "cuda(mem=24G)*2 & duration=1 day")
    assert (status, err) == (0, "")
    assert out.splitlines()[:4] == [
        "launcher       cluster",
        "need           duration=1d & cuda(mem=24G) * 2",
        "partition      gpu",
        "account        vision",
    ]


def test_sbatch_lines(find):
    status, out, _ = find(EXAMPLE, "--sbatch", "cuda(mem=80G)*4 & duration=90 min")
    assert status == 0
    assert out.splitlines() == [
        "#SBATCH --account=vision",
        "#SBATCH --qos=normal",
        "#SBATCH --partition=big",
        "#SBATCH --nodes=1",
        "#SBATCH --gpus-per-node=a100:4",
        "#SBATCH --time=90",
        "#SBATCH --mail-type=FAIL",
    ]


def test_json_has_the_documented_shape(find):
    status, out, _ = find(EXAMPLE, "--json", "cuda(mem=24G)")
    answer = json.loads(out)
    assert (status, answer["version"]) == (0, 1)
    documented = (ROOT / "docs" / "json.md").read_text()
    for command, data in (("find", answer), ("offer", answer["offers"][0])):
        section = documented.split(f"## {command}")[1].split("\n## ")[0]
        assert set(data) == {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}


def test_nothing_matches_is_1_and_says_what_would(find):
    status, out, err = find(EXAMPLE, "--tag", "slurm", "cuda(mem=8G)*3 & duration=1h")
    assert (status, out) == (1, "")
    assert "min_mem_ratio 0.5 keeps this GPU for jobs that need 24G or more" in err
    assert "would match gpu if GPU memory were 24G or more" in err


def test_a_cluster_on_slurm(find, tmp_path):
    place = partition(cores=8, memory="64G", gpu={"count": 2, "model": "V100"}, default_time="1h", qos=["q"])
    config = write_config(tmp_path, slurm=[slurm_entry("c", {"p": place}, qos={"q": {}}, accounts={"a": {}})])
    _, out, _ = find(config, "nodes=2 & cpu(cores=2, mem=4G) & cuda(mem=32G)")
    assert rows(out) == [
        ("launcher", "c"),
        ("need", "nodes=2 & cpu(mem=4G, cores=2) & cuda(mem=32G)"),
        ("partition", "p"),
        ("account", "a"),
        ("QoS", "q"),
        ("nodes", "2"),
        ("GPUs", "per node  1 (of 2 x V100 16G or 32G)"),
        ("cores", "2"),
        ("memory", "4G"),
        ("time", "not asked: 1h by default"),
        ("assumed", "the GPUs have enough memory (its size is not known)"),
        ("assumed", "there are enough nodes (their number is not known)"),
        ("offers", "p/nodes[0] qos=q account=a"),
    ]


def test_time_without_a_default(find, tmp_path):
    config = write_config(tmp_path, slurm=[slurm_entry("c", {"p": partition(cores=8)})])
    assert ("time", "not asked") in rows(find(config, "cpu(cores=1)")[1])
    assert ("time", "1h30m (1.5 hours)") in rows(find(config, "duration=90m")[1])


def test_a_queue_on_oar(find, tmp_path):
    nodes = {"hosts": "n1", "cpu": {"cores": 8}}
    config = write_config(tmp_path, oar=[oar_entry("c", nodes, queues={"best": {"types": ["besteffort"]}})])
    best = ("--tag", "besteffort")
    status, _, err = find(config, "cpu(cores=2)")
    assert (status, "--tag besteffort asks for that" in err) == (1, True)
    _, out, _ = find(config, "cpu(cores=2)", *best)
    shown = dict(rows(out))
    assert (shown["queue"], shown["types"], shown["time"]) == ("best", "besteffort", "not asked")
    assert "core=2" in shown["resources"]
    assert find(config, "cpu(cores=2)", *best, "--oarsub")[1].startswith("#OAR ")
    assert find(config, "cpu(cores=2)", *best, "--sbatch")[1] == "# c runs jobs on OAR: it has no #SBATCH lines\n"


def test_a_machine(find, tmp_path):
    config = write_config(tmp_path, local=[local_entry("box", cores=4)])
    _, out, _ = find(config, "cpu(cores=2)")
    assert rows(out) == [("launcher", "box"), ("need", "cpu(cores=2)"), ("cores", "2")]
    assert find(config, "cpu()", "--oarsub")[1] == "# box runs jobs on this machine: it has no #OAR lines\n"


# -- no launcher -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        (["slrum"], "has the tag 'slrum'. Known tags: gpu, slurm."),
        (["z", "a"], "has any of the tags a, z. Known tags: gpu, slurm."),
    ],
)
def test_tags_that_no_group_has(find, tmp_path, tags, text):
    config = write_config(tmp_path, local=[local_entry("a", tags=["slurm"]), local_entry("b", tags=["slurm", "gpu"])])
    options = [word for tag in tags for word in ("--tag", tag)]
    status, out, err = find(config, "cpu()", *options)
    assert (status, out) == (1, "")
    assert err == f"launchers: no launcher group ({config}) {text}\n"


def test_groups_without_tags(find, tmp_path):
    config = write_config(tmp_path, local=[local_entry("a")])
    assert find(config, "cpu()", "--tag", "x")[2].endswith("has the tag 'x'. No group has a tag.\n")


def test_the_offers_that_come_nearest_are_told_first(find, tmp_path):
    """Those with the fewest reasons, then those rejected at the latest stage."""
    places = {
        "both": partition(cores=1, limits={"max_duration": "1h"}),
        "cores": partition(cores=1),
        "time": partition(cores=8, limits={"max_duration": "1h"}),
        **{f"c{cores}": partition(cores=cores) for cores in range(2, 8)},
    }
    config = write_config(tmp_path, slurm=[slurm_entry("c", places)])
    lines = find(config, "cpu(cores=8) & duration=2h")[2].splitlines()
    assert lines[1] == "  time: needs 2 hours; partition time allows 1 hour (MaxTime)"
    assert lines[2] == "  cores: needs 8 cores per node; this partition has 1"
    assert lines[7] == "  ... and 3 more reasons: launchers explain shows all"
    assert lines[8].startswith("  would match ")
