"""What OAR prints, read: recorded output of a real 2.5.9, and what is wrong with what is not its output."""

import json

import pytest

from launchers.cli import main
from launchers.commands import CommandError
from launchers.config.build import build
from launchers.config.emit import to_yaml
from launchers.config.load import loads
from launchers.files.problems import ConfigError
from launchers.oar import backend as on_oar
from launchers.oar.convert import convert
from launchers.oar.facts import is_oarnodes_output, read_oarnodes
from launchers.oar.states import arrays_condition, latest_jobs, read_jobs

GIB = 1024**3


def resource(number, host, **more):
    return {"resource_id": number, "network_address": host, "host": host, "type": "default", "state": "Alive", **more}


def nodes(*resources):
    return json.dumps({str(one["resource_id"]): one for one in resources})


@pytest.fixture
def recorded(shared):
    return (shared / "oar-2.5.9" / "oarnodes_J.txt").read_text()


def test_the_recorded_cluster(recorded):
    (group,) = build(loads(to_yaml(convert(read_oarnodes(recorded)))).document)
    assert group.levels == ("host", "gpu", "core")
    default, besteffort = group.partitions
    shapes = {shape.hosts: shape for shape in default.shapes}
    assert {name: (shape.cores, shape.memory // GIB) for name, shape in shapes.items()} == {
        "oarnode1": (4, 64), "oarnode2": (4, 64), "oarnode3": (4, 32), "oarnode4": (4, 128),
    }  # fmt: skip
    gpus = {name: [(d.kind, d.count, d.memory // GIB) for d in shape.devices] for name, shape in shapes.items()}
    assert gpus == {
        "oarnode1": [("cuda", 2, 32)], "oarnode2": [("cuda", 2, 16)], "oarnode3": [], "oarnode4": [("cuda", 4, 40)],
    }  # fmt: skip
    assert "gpu_model=Tesla V100" in shapes["oarnode1"].features
    assert besteffort.types == ("besteffort",)
    assert default.defaults.duration == 7200


def test_convert_recognises_it(recorded, tmp_path, capsys, monkeypatch):
    path = tmp_path / "nodes.json"
    path.write_text(recorded)
    assert main(["convert", str(path), "--id", "mine"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Written by `launchers convert` from what oarnodes printed: 4 nodes.")
    assert "\noar:\n- id: mine\n" in text
    assert main(["convert", str(path), "--no-hosts"]) == 0
    assert "oarnode1" not in capsys.readouterr().out.split("\noar:")[1]
    assert main(["convert", str(path), "--partition", "p"]) == 2
    assert "no --anonymize, --partition or --user" in capsys.readouterr().err


def test_update_rewrites_the_facts(recorded, tmp_path, capsys):
    (tmp_path / "nodes.json").write_text(recorded)
    (tmp_path / "mine.yaml").write_text("oar: [{id: m, facts: cluster.yaml}]\n")
    argv = ["convert", str(tmp_path / "nodes.json"), "--update", str(tmp_path / "mine.yaml")]
    assert main(argv) == 0
    assert "+- id: oar" in capsys.readouterr().out
    assert main(argv) == 0
    assert "is up to date" in capsys.readouterr().err
    assert main(["find", "--config", str(tmp_path / "mine.yaml"), "--oarsub", "cuda(mem=40G)"]) == 0
    assert "#OAR -l {gpu_count > 0}/host=1/gpu=1\n" in capsys.readouterr().out


def test_equal_nodes_together_and_absent_ones_counted():
    text = nodes(
        resource(1, "a-1", core=1, memnode=1024),
        resource(2, "a-2", core=2, memnode=1024, state="Absent", available_upto=2147483647),
        resource(3, "a-3", core=3, memnode=1024, state="Dead"),
        resource(4, "b-1", core=4, memnode=2048),
        resource(5, "disk1", type="disk", core=5),
    )
    found = convert(read_oarnodes(text))
    assert [(one.hosts, one.count, one.available) for one in found.group.nodes] == [("a-[1-3]", 3, 2), ("b-1", 1, None)]
    assert "available: 2  # Dead" in to_yaml(found)


def test_gpus_are_counted_by_what_is_said():
    """NULL is no GPU; a site without gpu_count still numbers its gpus."""
    text = nodes(
        resource(1, "a", core=1, gpu=1, gpu_model="A100"),
        resource(2, "a", core=2, gpu=2, gpu_model="A100"),
        resource(3, "b", core=3, gpu=None, gpu_count=0, gpu_model=None),
    )
    a, b = read_oarnodes(text).nodes
    assert (a.gpus, a.gpu_model, b.gpus) == (2, "A100", 0)


def test_what_is_not_its_output(tmp_path, capsys):
    assert read_oarnodes("").problems == ("oarnodes printed nothing: there are no resources",)
    for text in ("{}", "[]", '{"1": {}}', "nodes", '{"nodes": []}', "{" * 100_000):
        assert not is_oarnodes_output(text)
    with pytest.raises(ValueError, match="not what oarnodes -J prints"):
        read_oarnodes('{"1": {}}')


def test_what_cannot_be_said_is_left_out():
    (node,) = read_oarnodes(nodes(resource(1, "a", core=1, cluster="back\\slash", cputype="two\nlines"))).nodes
    assert node.properties == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("oar: [{nodes: [{properties: {'gpu;--': x}}]}]", "is not the name of a property"),
        ("oar: [{nodes: [{properties: {cluster: 'a\\b'}}]}]", "has a backslash"),
        ("oar: [{queues: {q: {types: [fast]}}}]", "one of besteffort, idempotent, deploy, container"),
        ("oar: [{resources: ['core; DROP']}]", "is not the name of a property"),
        ("oar: [{queue: {}}]", "did you mean queues?"),
    ],
)
def test_what_does_not_load(text, said):
    with pytest.raises(ConfigError, match="error LC1") as caught:
        loads(text)
    assert said in str(caught.value)


# -- jobs ------------------------------------------------------------------------------------------------------


def job(**more):
    return {"Job_Id": 7, "array_id": 7, "array_index": 1, "state": "Terminated", "exit_code": 0, "events": [], **more}


def state(**more):
    (found,) = read_jobs(json.dumps({"7": job(**more)}))
    return found.state, found.exit


def test_terminated_is_not_success():
    assert state() == ("COMPLETED", 0)
    assert state(exit_code=1792) == ("FAILED", 7)
    assert state(exit_code=32512) == ("FAILED", 127)
    assert state(exit_code=9) == ("FAILED", -9)


@pytest.mark.parametrize(
    ("events", "word"),
    [
        (["FRAG_JOB_REQUEST", "SEND_KILL_JOB"], "CANCELLED"),
        (["FRAG_JOB_REQUEST", "WALLTIME", "SEND_KILL_JOB"], "TIMEOUT"),
        (["BESTEFFORT_KILL", "FRAG_JOB_REQUEST"], "PREEMPTED"),
        (["WORKING_DIRECTORY"], "FAILED"),
        (["OUTPUT_FILES"], "FAILED"),
        ([], "FAILED"),
    ],
)
def test_errors_have_their_reason_in_events(events, word):
    assert state(state="Error", exit_code=None, events=[{"type": one} for one in events])[0] == word


def test_recorded_jobs(shared):
    text = (shared / "oar-2.5.9" / "oarstat_J_fj_error.txt").read_text().partition("[exit status")[0]
    (found,) = read_jobs(text[text.index("{") :])
    assert (found.state, found.reason) == ("CANCELLED", "was deleted")
    text = (shared / "oar-2.5.9" / "oarstat_J_fj_terminated.txt").read_text().partition("[exit status")[0]
    (found,) = read_jobs(text[text.index("{") :])
    assert (found.state, found.exit) == ("COMPLETED", 0)


def test_no_output_is_no_such_job():
    assert read_jobs("") == []
    with pytest.raises(CommandError, match="not JSON"):
        read_jobs("oarstat: cannot connect")


def test_a_job_that_was_submitted_again_is_the_last_one():
    again = {"7": job(state="Error", exit_code=None), "12": job(Job_Id=12, state="Running", exit_code=None)}
    found = latest_jobs(read_jobs(json.dumps(again)))
    assert {key: (one.id, one.state) for key, one in found.items()} == {(7, 0): (12, "RUNNING")}


def test_ids_are_numbers():
    assert arrays_condition(["9", "10", "9"]) == "array_id IN (10, 9)"
    with pytest.raises(ValueError, match=r"\w"):
        arrays_condition(["9) OR (1=1"])


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ("[ERROR] Cannot connect to executor localhost:6666. Job is killed.", True),
        ("[error] [IOlib] Cannot connect to database (type=Pg, host=127.0.0.1): Connection refused", True),
        ("There are not enough resources for your request", False),
        ("/!\\ Invalid stdout file name (bad character)", False),
    ],
)
def test_what_is_worth_asking_again(said, again):
    """As a real 2.5.9 says it; a killed job of the first kind is there and runs later: its token is found."""
    assert on_oar.transient(said) is again
