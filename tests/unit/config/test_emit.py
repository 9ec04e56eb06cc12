"""A converted entry as YAML text: it loads as the same entry, in lines that are easy to diff."""

from configs import config

from launchers.config.emit import Converted, to_yaml
from launchers.config.load import loads

NODES = [{"hosts": "n[01-04]", "count": 4, "features": ["a", "b"], "cpu": {"cores": 8, "memory": "100G"}}]
ENTRY = {
    "id": "cluster",
    "features_regex": [r"GPU(?P<cuda_count>\d+)"],
    "qos": {"normal": {"priority": 1.5, "limits": {"max_tres": {"cpu": 4, "mem": "2G", "gres/gpu": 1}}}, "no": {}},
    "accounts": {"lab": {"qos": ["normal"], "default": True}},
    "partitions": {
        "gpu": {"default_time": "90 min", "priority": 2, "nodes": NODES},
        "007": {"nodes": [{"count": 2, "accelerators": [{"type": "a100", "count": 2}, {"model": "L4: small"}]}]},
    },
    "sbatch": {"mail-type": "FAIL", "licenses": 'a \\ "b"'},
    "defaults": {"account": "lab"},
}
TEXT = """\
slurm:
- id: cluster
  features_regex: ["GPU(?P<cuda_count>\\\\d+)"]
  qos:
    normal: {priority: 1.5, limits: {max_tres: {cpu: 4, mem: 2G, gres/gpu: 1}}}
    "no": {}
  accounts:
    lab:
      qos: [normal]
      default: true
  partitions:
    gpu:
      priority: 2
      nodes:
      - hosts: "n[01-04]"
        count: 4
        features: [a, b]
        cpu: {cores: 8, memory: 100G}
      default_time: "01:30:00"
    "007":
      nodes:
      - count: 2
        accelerators:
        - {count: 2, type: a100}
        - {model: "L4: small"}
  sbatch: {mail-type: FAIL, licenses: "a \\\\ \\"b\\""}
  defaults: {account: lab}
"""


def entry(**keys):
    return config(slurm=[keys]).document.slurm[0]


def test_the_text_of_an_entry():
    assert to_yaml(Converted(entry(**ENTRY))) == TEXT


def test_the_text_loads_as_the_same_entry():
    assert loads(TEXT).document.slurm == (entry(**ENTRY),)


def test_an_oar_entry_stands_under_oar():
    cluster = config(oar=[{"id": "x", "queues": {"q": {"priority": 1}}}]).document.oar[0]
    assert to_yaml(Converted(cluster)) == "oar:\n- id: x\n  queues:\n    q:\n      priority: 1\n"


def test_the_head_is_a_comment():
    assert to_yaml(Converted(entry(id="x")), "two\n\nlines") == "# two\n#\n# lines\nslurm:\n- id: x\n"


def test_comments_are_at_the_end_of_their_lines():
    notes = {
        ("id",): "of a value",
        ("partitions", "p"): "of a block",
        ("partitions", "p", "nodes", 0, "cpu", "cores"): "of a value inside",
        ("partitions", "p", "nodes", 0, "accelerators", 0): "of an item",
        ("partitions", "p", "nodes", 0, "features", 0): "of a word",
    }
    nodes = [{"features": ["a"], "cpu": {"cores": 8}, "accelerators": [{"count": 1}]}]
    text = to_yaml(Converted(entry(id="x", partitions={"p": {"nodes": nodes}}), notes))
    assert text.splitlines() == [
        "slurm:",
        "- id: x  # of a value",
        "  partitions:",
        "    p:  # of a block",
        "      nodes:",
        "      - features:",
        "        - a  # of a word",
        "        cpu:",
        "          cores: 8  # of a value inside",
        "        accelerators:",
        "        - {count: 1}  # of an item",
    ]


def test_a_long_value_is_a_block():
    short, long = ({"nodes": [{"features": ["x" * length]}]} for length in (90, 91))
    assert f"  - features: [{'x' * 90}]" in to_yaml(Converted(entry(partitions={"p": short})))
    assert f"        - {'x' * 91}\n" in to_yaml(Converted(entry(partitions={"p": long})))
