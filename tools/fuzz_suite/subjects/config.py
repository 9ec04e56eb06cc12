"""A launchers.yaml: it is loaded, checked, made into groups, and jobs are matched; or it is refused with places."""

from itertools import islice
from pathlib import Path

from fuzz_suite.yaml_mutations import check_problems, mutate_yaml
from launchers.config.build import build
from launchers.config.check import check as check_config
from launchers.config.load import load
from launchers.files.problems import ConfigError
from launchers.matching import match
from launchers.requirement import parse

EXPECTED = (ConfigError,)
ROOT = Path(__file__).parents[3]
NEEDS = [parse(text) for text in ("cpu(cores=1)", "cuda(mem=2G)*2 & duration=4h", "cpu(mem=600G, cores=9) & nodes=2")]
TEXTS = [
    "24G", "1.5 TB", "9e99G", "2-00:00:00", "4 days", "UNLIMITED", "n[01-16]", "n[1-99999999]", "n[5-1]", "[1-2]", "n[1-2", "a,,b", "",
    " ", "a b", "$x", "A100", "H100 80G", "gpu:a100:2", "GPU(?P<cuda_count>\\d+)", "(a+)+$", "(?P<gpu_model>.*", "(?P<cuda_memory>.*)",
    "wrap", "export", "ALL,A=1", "export-file", "NONE", "x" * 300, "\x1b[2J", "\u202e", "UP", "DOWN", "random", "widest", "cuda", "rocm",
    "mem", "cpu", "gres/gpu", "gres/gpu:a100", "OverPartQOS", "besteffort", "host", "core", "facts.yaml", "/dev/null", "~x/y",
]  # fmt: skip
mutate = mutate_yaml(TEXTS)


def corpus() -> list[bytes]:
    """The examples, and pages with every kind of entry."""
    found = [ROOT / "launchers.example.yaml", ROOT / "examples" / "oar.yaml", *_recorded()]
    return [*(path.read_bytes() for path in found if path.exists()), *map(str.encode, PAGES)]


def _recorded() -> list[Path]:
    return list(islice(sorted((ROOT.parent / "shared" / "data").glob("*.yaml")), 5))


PAGES = [
    "local:\n- {id: here, cpu: {cores: 8, memory: 32G}, gpu: {model: A100, count: 2}, tokens: {disk: 2}, weight: 1}\n",
    "gpus: {odd: {kind: cuda, memory: 7G}}\nlocal: [{accelerators: [{model: odd, count: 1, min_mem_ratio: 0.5}]}]\n",
    "slurm:\n- id: c\n  features_regex: ['GPU(?P<cuda_count>\\d+)x(?P<cuda_memory>\\d+)']\n  limits: {max_tres: {cpu: 9, mem: 9G}}\n"
    "  defaults: {account: lab, qos: q}\n  accounts: {lab: {qos: [q], limits: {max_jobs: 0}}}\n  sbatch: {export: NONE, nice: 3}\n"
    "  qos: {q: {max_duration: 1h, flags: [OverPartQOS], limits: {min_nodes: 2}}}\n  partitions:\n    p:\n"
    "      nodes: [{hosts: ['n[1-4]', m1], cpu: {cores: 8, memory: 9G}, features: [GPU2x24], gpu: {count: 2}}, {count: 3}]\n"
    "      limits: {max_nodes: 2}\n      default_time: 1h\n      qos: [q]\n      exclusive: true\n",
    "oar:\n- id: g\n  resources: [host, gpu, core]\n  project: x\n  queues: {default: {limits: {max_duration: 2h}}, night: {types: [besteffort]}}\n"
    "  nodes:\n  - {hosts: 'c-[1-8]', count: 8, cpu: {cores: 32, memory: 192G}, accelerators: [{model: V100, count: 2, kind: cuda}],\n"
    "     properties: {cluster: c, exotic: true, mem: 5}}\n",
]  # fmt: skip


def check(data: bytes, folder: Path) -> None:
    """What is loaded makes groups, and every job has an answer there; what is refused has problems that can be read."""
    path = folder / "launchers.yaml"
    path.write_bytes(data)
    try:
        config = load(path)
        check_config(config)
        groups = build(config.document)
    except ConfigError as error:
        check_problems(error)
        raise
    for need in NEEDS:
        match(need, groups)
