"""launchers.yaml: strict, everything at once, each problem with its place."""

import json
import re
import time
from pathlib import Path

import jsonschema
import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launchers.config.check import check
from launchers.config.find import locate
from launchers.config.load import load, loads
from launchers.files.json_schema import json_schema
from launchers.files.problems import CODES, ConfigError
from launchers.quantities import hosts

EXAMPLE = Path(__file__).resolve().parents[3] / "launchers.example.yaml"


def problems(text):
    with pytest.raises(ConfigError) as caught:
        loads(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_the_reference_loads_as_it_stands(shared):
    document = load(shared / "launchers.reference.yaml").document
    assert [group.weight for group in document.local] == [5, 4]
    manual, auto = document.slurm
    assert manual.use_memory_contraint is True
    assert manual.qos["qos_gpu-t3"].max_duration == 20 * 3600
    assert manual.partitions["gpu_p4"].configuration.gpu.memory == 40 << 30
    assert auto.query_slurm is True
    found = check(load(shared / "launchers.reference.yaml"))
    assert [(one.code, one.line, one.is_error) for one in found] == [
        ("LC214", line, False)
        for line in (5, 12, 36, 125)  # its connectors do nothing yet
    ]


def test_the_example_loads_without_a_warning():
    assert check(load(EXAMPLE)) == []


def test_all_problems_at_once_each_with_its_place():
    text = (
        "local:\n"
        " - wieght: 5\n"
        "   cpu: {cores: '4', memory: 5}\n"
        "   gpus: []\n"
        "slurm:\n"
        " - choose: tight\n"
        "   features_regex: ['(']\n"
        '   id: "a\\nb"\n'
        "   partitions:\n"
        "     gpu: {nodes: [{features: a, cout: 3}], limits: {max_duration: long}}\n"
    )
    found = [re.sub(r"(?<=is not a regular expression: ).+", "...", one) for one in problems(text)]  # why, re says
    assert found == [
        "f.yaml:2:4: error LC101: local[0].wieght: unknown key 'wieght' (did you mean weight?)",
        "f.yaml:3:17: error LC102: local[0].cpu.cores: a whole number is expected here, not text ('4') "
        "(write 4 without quotes)",
        "f.yaml:3:30: error LC103: local[0].cpu.memory: memory is text with a unit, not a number (5) (write 5G or 5M)",
        "f.yaml:4:4: error LC101: local[0].gpus: unknown key 'gpus' (did you mean gpu?)",
        "f.yaml:6:12: error LC110: slurm[0].choose: one of tightest, widest, random is expected here, "
        "not text ('tight') (did you mean tightest?)",
        "f.yaml:7:21: error LC105: slurm[0].features_regex[0]: '(' is not a regular expression: ...",
        "f.yaml:8:8: error LC109: slurm[0].id: 'a\\nb' must be one line of printable text: it may reach an sbatch file",
        "f.yaml:10:31: error LC102: slurm[0].partitions.gpu.nodes[0].features: a list is expected here, not text ('a') "
        "(write [a, b])",
        "f.yaml:10:34: error LC101: slurm[0].partitions.gpu.nodes[0].cout: unknown key 'cout' (did you mean count?)",
        "f.yaml:10:68: error LC104: slurm[0].partitions.gpu.limits.max_duration: 'long' is not a duration such as "
        "4 days, 1h30m or 2-12:00:00",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "f.yaml:2:1: error LC106"),
        ("[1]", "f.yaml:1:1: error LC102"),
        ("x: !!python/object 3", "f.yaml:1:4: error LC107"),
        ("\tx: 1", "f.yaml:1:1: error LC107"),
        ("\tx: 1", "(YAML indents with spaces, not tabs)"),
        ("[" * 100_000, "f.yaml:1:41: error LC107: nested more than 40 deep"),
        ("a: " + "{b: " * 300, "f.yaml:1:160: error LC107: nested more than 40 deep"),
        ("- " * 100_000, "nested more than 40 deep"),
        ("---\na: 1\n---\nb: 2", "f.yaml:3:1: error LC107"),
        ("a: *x", "f.yaml:1:4: error LC107"),
        ("a: &a\n  b: *a", "aliases that repeat"),
        ("\0", "error LC107"),
        ("? [a]\n: b", "a key is a plain word"),
        ("local: [{cpu: }]", "nothing stands here"),
        ("slurm: [{partitions: {'a b': {}}}]", "is not a name"),
        *(
            (f'slurm: [{{partitions: {{p: {{nodes: [{{hosts: "{hosts}"}}]}}}}}}]', f"f.yaml:1:43: error LC117: {said}")
            for hosts, said in [
                ("n[01-", "slurm[0].partitions.p.nodes[0].hosts: 'n[01-' has a [ without its ]"),
                ("n[5-1]", "slurm[0].partitions.p.nodes[0].hosts: the range 5-1 goes backwards"),
                ("n[a-b]", "slurm[0].partitions.p.nodes[0].hosts: [a-b] is not a range of numbers"),
                ("n[01-3]", "slurm[0].partitions.p.nodes[0].hosts: the range 01-3 mixes widths"),
                ("n[1-2][3-4]", "slurm[0].partitions.p.nodes[0].hosts: 'n[1-2][3-4]' has two ranges"),
                ("n[1-99999999]", "slurm[0].partitions.p.nodes[0].hosts: 'n[1-99999999]' has 99999999 hosts"),
                ("@all", "slurm[0].partitions.p.nodes[0].hosts: '@all' is not a host name"),
                ("n1,,n2", "slurm[0].partitions.p.nodes[0].hosts: 'n1,,n2' has an empty host name"),
            ]
        ),
        ("oar: [{nodes: [{hosts: [n1, 'n[5-1]']}]}]", "f.yaml:1:29: error LC117: oar[0].nodes[0].hosts[1]: the range"),
        ("slurm: [{sbatch: {comment: [1]}}]", "text, a number, or true is expected"),
    ],
)
def test_bad_yaml(text, said):
    found = "\n".join(problems(text))
    assert said in found


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="nm019[]-,/_.@!^ ", min_size=1, max_size=14))
@example("n[1]2[3]")
@example("n[0-01]")
@example("n[0-9]x[1-2,5],n[08-12]")
def test_what_is_taken_for_a_host_list_can_be_expanded(text):
    try:
        number = hosts.count_hosts(text)
    except ValueError:
        return
    assert len(NodeSet(text)) <= number


def test_what_launchers_says_to_sbatch_is_not_said_again():
    own = (
        "partition qos account constraint time nodes cpus-per-task cpus_per_task mem mem-per-cpu mem_per_gpu gres gpus"
    )
    own += " gpus_per_node exclude nodelist array dependency part"
    options = ", ".join(f"{one}: 1" for one in own.split())
    found = problems(f"slurm: [{{sbatch: {{{options}, mail-type: FAIL, reservation: x, --hold: true}}}}]")
    assert [one.split()[2] for one in found] == ["LC118:"] * len(own.split()) + ["LC109:"]
    assert found[0] == (
        "f.yaml:1:19: error LC118: slurm[0].sbatch.partition: sbatch's --partition is for launchers to say, and this "
        "would override what was chosen (ask for it in the requirement, or describe it under partitions:)"
    )
    assert loads("slurm: [{sbatch: {mail-type: FAIL, reservation: x, mem_bind: local, exclusive: true, comment: x}}]")


def test_a_bomb_of_aliases_is_refused_quickly():
    lines = ["a0: &a0 [1,2,3,4,5,6,7,8,9]"] + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.monotonic()
    assert "aliases that repeat" in problems("\n".join(lines))[0]
    assert time.monotonic() - started < 10


def test_odd_files(tmp_path):
    path = tmp_path / "launchers.yaml"
    path.write_bytes(b"\xef\xbb\xbflocal:\r\n- weight: 1\r\n")
    assert load(path).document.local[0].weight == 1
    path.write_text("")
    assert load(path).document.local is None
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(path)
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yaml")


@settings(max_examples=300)
@given(st.text(alphabet="local:slurm-[]{}&*!|>'\"\n\t #,?%@`0123456789 weight", max_size=80))
def test_any_text_loads_or_is_a_config_error(text):
    try:
        loads(text)
    except ConfigError as error:
        assert error.problems
        assert all(problem.code in CODES for problem in error.problems)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 100) | st.sampled_from(["24G", "x", "4 days", "tightest", "a b", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["weight", "gpu", "cpu", "zz"]), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "id",
        "weight",
        "tags",
        "choose",
        "cpu",
        "gpu",
        "partitions",
        "features_regex",
        "qos",
        "accounts",
        "sbatch",
        "limits",
        "odd",
    ]
)


SCHEMA = jsonschema.Draft202012Validator(json_schema())


@example({"local": [{"weight": False}]})
@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(["local", "slurm", "oar"]), st.lists(st.dictionaries(KEYS, VALUES), max_size=2)))
def test_the_json_schema_and_the_loader_agree(document):
    """What the schema refuses the loader refuses; the loader also looks into text, which a schema cannot."""
    valid = SCHEMA.is_valid(document)
    try:
        loads(json.dumps(document))
    except ConfigError as error:
        deeper = {"LC103", "LC104", "LC105", "LC109", "LC117", "LC118"}
        if {problem.code for problem in error.problems} <= deeper:
            return
        assert not valid
    else:
        assert valid


def test_the_json_schema_is_one_and_takes_the_example():
    import yaml

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), schema)


def warnings(text):
    return [f"{problem.code} {problem.path}" for problem in check(loads(text))]


def test_warnings():
    assert warnings(
        r"""
local:
- {gpu: {model: gen}, tags: ["a,b"]}
slurm:
- features_regex: ['GPU(?P<n>\d+)', 'NOPE(?P<cuda_count>\d+)']
  features: {ghost: {}}
  qos: {q: {limits: {min_tres: {gres/gpu: 9}, max_tres: {license/x: 1}}}, unused: {}}
  partitions:
    empty: {nodes: []}
    gpu: {qos: [q], nodes: [{features: [GPU2], gpu: {count: 2, memory: 8G}, count: 1}]}
    off: {disabled: true}
    odd: {qos: [nowhere]}
"""
    ) == [
        "LC207 local[0].gpu[0].model",
        "LC205 local[0].tags[0]",
        "LC203 slurm[0].features_regex[0]",
        "LC204 slurm[0].features_regex[1]",
        "LC206 slurm[0].features.ghost",
        "LC208 slurm[0].qos.q.limits.max_tres.license/x",
        "LC202 slurm[0].qos.unused",
        "LC201 slurm[0].partitions.empty",
        "LC201 slurm[0].partitions.gpu",
        "LC108 slurm[0].partitions.odd.qos[0]",
    ]


def test_what_was_taken_in_silence():
    assert warnings(
        r"""
local:
- {id: one}
slurm:
- id: one
  defaults: {account: nope, qos: nope}
  features_regex: ['GPUM(?P<cuda_memory>\w+)', 'GPU(?P<cuda_count>\d+)']
  qos: {q: {}}
  partitions:
    p:
      qos: [q]
      nodes:
      - {hosts: "n[01-03]", count: 2, features: [GPUMabc, GPUM24G, GPU2]}
      - {hosts: [n4, n03], count: 2}
    q: {qos: [q], nodes: [{hosts: "n[01-03]"}]}
- {query_slurm: true, facts: /none.yaml, disabled: true}
- {query_slurm: true, defaults: {account: any}}
oar:
- nodes: [{hosts: [a, b], count: 3}]
"""
    ) == [
        "LC210 slurm[0].id",
        "LC202 slurm[0].defaults.account",
        "LC108 slurm[0].defaults.qos",
        "LC213 slurm[0].features_regex[0]",
        "LC211 slurm[0].partitions.p.nodes[0].count",
        "LC212 slurm[0].partitions.p.nodes[1].hosts",
        "LC114 slurm[1].query_slurm",
        "LC211 oar[0].nodes[0].count",
    ]


FACTS = """
slurm:
- qos: {normal: {}}
  partitions:
    gpu: {qos: [normal, admin], nodes: [{hosts: "n[1-4]", count: 4, accelerators: [{model: A100, count: 2}]}]}
"""


def test_facts_are_looked_into(tmp_path):
    def said(entry, facts=FACTS, kind="slurm"):
        (tmp_path / "facts.yaml").write_text(facts)
        (tmp_path / "launchers.yaml").write_text(f"{kind}: [{entry}]")
        found = check(load(tmp_path / "launchers.yaml"))
        return [str(one).replace(f"{tmp_path}/", "") for one in found]

    good = "{partitions: {gpu: {qos: [admin, normal], nodes: [{hosts: 'n[1,4]', gpu: {count: 1}}]}}, facts: facts.yaml}"
    assert said(good) == []
    assert said("{facts: none.yaml}") == [
        "launchers.yaml:1:17: error LC111: slurm[0].facts: none.yaml: No such file or directory "
        "(launchers convert -o writes one)"
    ]
    assert said("{facts: none.yaml, disabled: true}") == []
    assert said("{facts: facts.yaml}", "slurm: [{wieght: 1}]") == [
        "facts.yaml:1:10: error LC101: slurm[0].wieght: unknown key 'wieght' (did you mean weight?)"
    ]
    assert said("{facts: launchers.yaml}") == [
        "launchers.yaml:1:17: error LC111: slurm[0].facts: launchers.yaml: its entry has a facts: of its own "
        "(name a file that launchers convert -o wrote)"
    ]
    layer = (
        "{partitions: {gpuu: {disabled: true}, gpu: {qos: [normall], nodes: [{hosts: 'n[4-6]'}]}}, facts: facts.yaml}"
    )
    assert said(layer) == [
        "launchers.yaml:1:23: warning LC209: slurm[0].partitions.gpuu: the facts have no gpuu here, so it is one more "
        "(they have gpu)",
        "launchers.yaml:1:59: error LC108: slurm[0].partitions.gpu.qos[0]: normall is not defined under qos: "
        "(defined are normal)",
        "launchers.yaml:1:85: warning LC209: slurm[0].partitions.gpu.nodes[0].hosts: the facts have no n[5-6] in gpu, "
        "so these are further nodes",
    ]
    oar = "oar: [{queues: {default: {}, prod: {}}, nodes: [{hosts: n1}]}]"
    assert said("{facts: facts.yaml, queues: {prod: {priority: 1}, pord: {disabled: true}}}", oar, "oar") == [
        "launchers.yaml:1:57: warning LC209: oar[0].queues.pord: the facts have no pord here, so it is one more "
        "(they have default, prod)"
    ]


def test_every_code_is_documented():
    text = (EXAMPLE.parent / "docs" / "launchers-yaml.md").read_text()
    assert all(f"| {code} | {meaning} |" in text for code, meaning in CODES.items())


def test_where_it_is_looked_for(tmp_path):
    home = tmp_path / "home" / ".config" / "launchers"
    home.mkdir(parents=True)
    environ = {"HOME": str(tmp_path / "home")}
    assert locate(None, environ, tmp_path).used is None or Path("/etc/launchers/launchers.yaml").exists()
    (home / "launchers.yaml").write_text("")
    assert locate(None, environ, tmp_path).used == home / "launchers.yaml"
    (tmp_path / "launchers.yaml").write_text("")
    assert locate(None, environ, tmp_path).used == tmp_path / "launchers.yaml"
    assert locate(None, {**environ, "LAUNCHERS_CONFIG": "/x"}, tmp_path).used == Path("/x")
    assert locate("/y", {**environ, "LAUNCHERS_CONFIG": "/x"}, tmp_path).used == Path("/y")
