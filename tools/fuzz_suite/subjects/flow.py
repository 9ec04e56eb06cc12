"""A flow page: it makes a plan that can be drawn, or it is refused with places."""

from pathlib import Path

from fuzz_suite.yaml_mutations import check_problems, mutate_yaml
from launchers.files.problems import ConfigError
from launchers.flow.compile import compile_plan, job_identities, lay_out
from launchers.flow.read import load
from launchers.plan.tree import PlanError

EXPECTED = (ConfigError, PlanError)
ROOT = Path(__file__).parents[3]
TEXTS = [
    "{{ a }}", "{{ n }}", "{{ n * 2 }}", "{{ args.n", "{{ deps.a.X }}", "{{ run.dir }}/x", "{{ [1, 2] }}", "{{ {} }}", "{{ none }}",
    "{% for x in a %}{{ x }}{% endfor %}", "{{ '\\ud800' }}", "{{ 1 / 0 }}", "{{ 'a' * 999999 }}", "{{ 'a'.ljust(4000000000) }}",
    "{{ range(100000) | list }}", "{{ {1: 2} }}", "{{ 10 ** 300 }}", "{{ 1e999 }}", "{{ args }}", "{{ '\x1b[2J' }}", "{{ lipsum() }}",
    "a", "b", "afterany:a", "afterok:b", "zz:a", "after:", "cuda(mem=2G)*2 & duration=4h", "cpu(cores=0)", "32GB", "1:00:00", "mod:f",
    "mem*2", "mem*1e9", "gpu:a100:2", ":2", "gpu:1(S", "a&(b|c", "n[1-2", "n[1-9]", "notify.started", "a b", "", " ", "\x00", "\u202e", "x" * 300,
    "$HOME", "file:/x", "~nobody/x", "a:b:c", "pyxis", "apptainer", "END,FAIL", "2-00:00", "-1", "0",
]  # fmt: skip
mutate = mutate_yaml(TEXTS)
PAGES = [
    "name: x\nargs: {n: 1, a: [1, 2]}\ndefaults: {time_limit: 10, setup: [module load x], env: {A: '{{ n }}'}}\njobs:\n"
    "- {name: a, command: 'echo {{ n }}', exports: {X: '{{ n }}'}, outputs: [o], inputs: [i], retry: 2}\n"
    "- {name: b, script: s.sh, depends_on: [afterany:a], needs: 'cuda(mem=2G)*2 & duration=4h', escalate: 'mem*2'}\n"
    "- {name: c, python: 'm:f', with: {x: '{{ deps.a.X }}'}, depends_on: a, gpus_per_node: 2, memory_per_node: 4G}\n",
    "name: y\nargs: {n: 0, m: x}\nsweep:\n  matrix: {n: [1, 2, 3]}\n  include: [{n: 9, m: z}]\n  exclude: [{n: 2}]\n  max_parallel: 2\n"
    "  fail_fast: true\njobs:\n- {name: a, command: [echo, '{{ n }}', '{{ m }}']}\n- {name: b, command: [ls], depends_on: aftercorr:a}\n"
    "- {name: c, command: [ls], once: true, depends_on: b}\nnotify: {urls: [$X, 'file:y'], on: [failed]}\n",
    "name: z\njobs:\n- name: a\n  command: [ls]\n  environment:\n    conda: e\n    modules: [m/1]\n    container: {image: i, mounts: ['/a:/b:ro'],\n"
    "      runtime: apptainer, nv: true, env: {B: 1}}\n  resources: {nodes: 2, partition: p, nodelist: 'n[1-2]', gres: 'gpu:a100:2', mail_type: [END]}\n",
]  # fmt: skip


def corpus() -> list[bytes]:
    """The examples, and pages with every kind of key."""
    found = [
        *sorted((ROOT / "examples").glob("*.yaml")),
        *sorted((ROOT.parent / "shared/data/seed-pages").glob("*.yaml")),
    ]
    return [*(path.read_bytes() for path in found), *map(str.encode, PAGES)]


def check(data: bytes, folder: Path) -> None:
    """What is read makes a plan; what is refused has problems that can be read."""
    path = folder / "flow.yaml"
    path.write_bytes(data)
    try:
        flow = load(path)
    except ConfigError as error:
        check_problems(error)
        raise
    compile_plan(lay_out(flow), job_identities(flow)).graph()
