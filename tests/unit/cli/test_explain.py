"""`launchers explain`: the funnel, every offer with its reasons, and jobs that wait in the queue."""

import json
from pathlib import Path

import pytest
from clusters import cluster, nodes
from config_files import local_entry, partition, slurm_entry, write_config
from configs import config

from launchers.cli import main
from launchers.cli.explanation import can_start
from launchers.commands import CommandError
from launchers.launcher import groups
from launchers.matching import match
from launchers.requirement import parse
from launchers.slurm import pending
from launchers.slurm.pending import NoSuchJobError, QueuedJob
from launchers.slurm.refusals import Refusal

ROOT = Path(__file__).resolve().parents[3]
PLACES = {
    "small": partition(cores=4, limits={"max_duration": "1h"}),
    "large": partition(cores=16),
    "slow": partition(cores=16, priority=-1),
}


@pytest.fixture
def explain(capsys):
    """Run `launchers explain`; its exit status, its output, and what it writes to stderr."""

    def run(*argv):
        status = main(["explain", *argv])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def places(tmp_path):
    """A launchers.yaml with a cluster of three partitions, as options."""
    return "--config", str(write_config(tmp_path, slurm=[slurm_entry("c", PLACES)]))


def documented(section):
    """The keys that docs/json.md names in a section."""
    page = (ROOT / "docs" / "json.md").read_text()
    text = page.split(f"## {section}\n")[1].split("\n## ")[0]
    return {key for line in text.splitlines() if line.startswith("| `") for key in line.split("|")[1].split("`")[1::2]}


# -- a requirement -----------------------------------------------------------------------------------------------


def test_what_matches(explain, places):
    status, out, err = explain(*places, "cpu(cores=8)")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:4] == [
        "need: cpu(cores=8)",
        "  c: 3 offers -> cores>=8: 2",
        "    small/nodes[0]: needs 8 cores per node; this partition has 4",
        "    large/nodes[0], slow/nodes[0]: fits",
    ]
    assert lines[4:6] == ["chosen:", "  launcher   c"]
    assert lines[-1] == "passed over: c: slow/nodes[0] (decided by priority)"


def test_what_matches_nothing(explain, places):
    status, out, err = explain(*places, "cpu(cores=17) & duration=1h | cpu(cores=18)")
    assert status == 1
    assert err.startswith("launchers: nothing matches duration=1h & cpu(cores=17) | cpu(cores=18)")
    assert err.count("\n") == 1  # the rest has just been explained
    needs = [line for line in out.splitlines() if line.startswith("need: ")]
    assert needs == ["need: duration=1h & cpu(cores=17)", "need: cpu(cores=18)"]
    assert "nearest: would match large, slow if cores were 16 or fewer" in out.splitlines()
    assert "chosen:" not in out


def test_alternatives_behind_the_chosen_one_are_explained_too(explain, places):
    _, out, _ = explain(*places, "cpu(cores=8) | cpu(cores=99)")
    assert "need: cpu(cores=99)" in out
    assert "nearest" not in out


def test_a_single_offer(explain, tmp_path):
    one = write_config(tmp_path, local=[local_entry("box", cores=2)])
    assert "  box: 1 offer -> cores>=1: 1" in explain("--config", str(one), "cpu(cores=1)")[1].splitlines()


def test_clusters_that_cannot_be_read(explain, tmp_path, no_slurm):
    far = write_config(tmp_path, slurm=[{"id": "far", "query_slurm": True}])
    status, _, err = explain("--config", str(far), "cpu()")
    assert status == 3
    assert "no launcher can be reached" in err
    assert "far: " in err.splitlines()[-1]


def test_json(explain, places):
    status, out, _ = explain(*places, "--json", "cpu(cores=8) & duration=2h")
    answer = json.loads(out)
    assert status == 0
    assert set(answer) == documented("explain")
    (alternative,) = answer["alternatives"]
    assert alternative["funnels"] == [
        {
            "group": "c",
            "offers": 3,
            "steps": [
                {"code": "cores", "asked": "cores>=8", "left": 2},
                {"code": "duration", "asked": "duration<=2h", "left": 2},
            ],
        }
    ]
    small, large, _ = alternative["offers"]
    assert [rejection["code"] for rejection in small["rejections"]] == ["cores", "duration"]
    assert small["rejections"][1] == {
        "code": "duration",
        "what": "duration",
        "asked": 7200,
        "offered": 3600,
        "by": "partition small MaxTime",
        "text": "needs 2 hours; partition small allows 1 hour (MaxTime)",
    }
    assert (small["fits"], large["fits"], large["rejections"]) == (False, True, [])
    assert [each["decided_by"] for each in answer["passed_over"]] == ["priority"]


def test_json_of_relaxations_and_skipped_groups(explain, tmp_path):
    two = write_config(tmp_path, slurm=[slurm_entry("c", PLACES, tags=["t"])], local=[local_entry("box")])
    status, out, _ = explain("--config", str(two), "--tag", "t", "--json", "cpu(cores=17)")
    answer = json.loads(out)
    assert (status, answer["matches"], answer["selection"]) == (1, False, None)
    nearest = answer["relaxations"][0]
    assert nearest["text"] == "would match large, slow if cores were 16 or fewer"
    assert nearest["changes"] == [{"what": "cores", "asked": 17, "to": 16}]
    assert nearest["need"]["cores"] == 16
    assert nearest["offers"] == ["large/nodes[0]", "slow/nodes[0]"]
    assert answer["skipped"] == [{"group": "box", "reason": "has none of the requested tags"}]


@pytest.mark.parametrize("argv", [[], ["cpu()", "--job", "7"]])
def test_either_a_requirement_or_a_job(explain, argv):
    status, _, err = explain(*argv)
    assert status == 2
    assert "give either a requirement or --job ID" in err


# -- a job in the queue ------------------------------------------------------------------------------------------


@pytest.fixture
def queue(monkeypatch):
    """A function that puts a job with this need, reason and state into the queue of a cluster."""

    def put(need, reason="None", state="PENDING", place="small", facts=None):
        job = QueuedJob("7", state, reason, (place,), "", "", parse(need).alternatives[0])
        (entry,) = config(slurm=[slurm_entry("c", PLACES)]).document.slurm
        monkeypatch.setattr(pending, "queued_job", lambda connector, id: job)
        monkeypatch.setattr(groups, "ask_cluster", lambda refresh: (facts or entry, ()))

    return put


def test_a_job_that_can_never_start(explain, queue):
    queue("cpu(cores=8)", "PartitionTimeLimit")
    status, out, err = explain("--job", "7")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("job 7 is PENDING: PartitionTimeLimit: it ")
    assert lines[1:] == [
        "  asked: cpu(cores=8)",
        "  in: small, QoS -, account -",
        "  can it ever start: no",
        "    small/nodes[0]: needs 8 cores per node; this partition has 4",
        "nearest: would match small if cores were 4 or fewer",
    ]


def test_a_job_that_can_start(explain, queue):
    queue("cpu(cores=2)")
    assert explain("--job", "7")[1].splitlines() == [
        "job 7 is PENDING",
        "  asked: cpu(cores=2)",
        "  in: small, QoS -, account -",
        "  can it ever start: yes",
        "    small/nodes[0]: fits",
    ]


def test_a_job_whose_partition_is_down(explain, queue):
    queue("cpu(cores=2)", "PartitionDown")
    assert "  can it ever start: not before its partition is up" in explain("--job", "7")[1].splitlines()


def test_a_job_that_may_not_use_its_account(explain, queue):
    queue("cpu(cores=2)", "InvalidAccount")
    lines = explain("--job", "7")[1].splitlines()
    assert lines[3:5] == ["  can it ever start: no", "  with what may be used there:"]


def test_a_job_that_runs(explain, queue):
    queue("cpu(cores=2)", state="RUNNING")
    assert len(explain("--job", "7")[1].splitlines()) == 3


def test_a_job_of_a_cluster_that_cannot_be_read(explain, queue):
    queue("cpu(cores=2)", facts="no answer")
    status, out, err = explain("--job", "7")
    assert (status, err) == (0, "launchers: warning: no answer\n")
    assert out.splitlines()[-1] == "  can it ever start: not known"


def test_json_of_a_job(explain, queue):
    queue("cpu(cores=8)", "PartitionTimeLimit")
    job = json.loads(explain("--job", "7", "--json")[1])
    assert set(job) == documented("explain --job")
    assert (job["code"], job["can_start"], job["qos"]) == ("duration", False, None)
    assert [rejection["code"] for rejection in job["rejections"]] == ["cores"]
    assert job["relaxations"] == ["would match small if cores were 4 or fewer"]
    queue("cpu(cores=2)")
    job = json.loads(explain("--job", "7", "--json")[1])
    assert (job["code"], job["can_start"], job["rejections"], job["relaxations"]) == (None, True, [], [])


@pytest.mark.parametrize(("error", "status"), [(NoSuchJobError("no job 7"), 2), (CommandError("no answer"), 3)])
def test_a_job_that_cannot_be_asked_about(explain, monkeypatch, error, status):
    def fail(connector, id):
        raise error

    monkeypatch.setattr(pending, "queued_job", fail)
    assert explain("--job", "7") == (status, "", f"launchers: {error}\n")


@pytest.mark.parametrize(
    ("refusal", "need", "expected"),
    [
        (Refusal("limit", never=True), "cpu(cores=1)", False),
        (Refusal("closed", never=False), "cpu(cores=1)", None),
        (Refusal("", never=False), "cpu(cores=1)", True),
        (Refusal("", never=False), "cpu(cores=99)", False),
        (Refusal("", never=False), None, None),
    ],
)
def test_whether_a_job_can_start(refusal, need, expected):

    answer = match(parse(need), cluster(nodes(cores=4))) if need else None
    assert can_start(refusal, answer) is expected
