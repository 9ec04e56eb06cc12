"""Whatever a page says, it makes a plan or is refused with places in the file: no page makes a traceback."""

import yaml
from flows import plan_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launchers.files.problems import ConfigError
from launchers.flow.read import loads
from launchers.flow.schema import FlowDocument, JobDefaults, JobEnvironment, JobResources, JobSpec

KEYS = sorted(
    {
        field.name.rstrip("_")
        for kind in (FlowDocument, JobSpec, JobDefaults, JobEnvironment, JobResources)
        for field in kind.__attrs_attrs__
    }
)
TEXTS = st.one_of(
    st.sampled_from(
        ["a", "b", "a b", "{{ a }}", "{{ b }}", "{{ c", "{{ deps.a.A }}", "{{ [1, 2] }}", "{{ {} }}", "{{ none }}", "{{ run }}",
         "{{ args }}", "{% for x in a %}{{ x }}{% endfor %}", "afterany:a", "zz:a", "cuda(mem=2G)*2", "32GB", "1:00:00", "mod:f",
         "mem*2", "gpu:a100:2", ":2", "gpu:1(S", "a&(b|c", "n[1-2", "{{ a * a }}", "{{ a ** 99999 }}", "{{ deps }}", "{{ '\\ud800' }}"]
    ),
    st.text(max_size=6),
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(KEYS), TEXTS), inner, max_size=4)
    ),
    max_leaves=8,
)
JOBS = st.lists(
    st.one_of(
        VALUES,
        st.builds(
            lambda more, name, after: {"command": ["ls"], **more, "name": name, "depends_on": after},
            st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
            st.sampled_from("abc"),
            st.one_of(VALUES, st.lists(st.sampled_from(["a", "afterany:b", "after:c"]), max_size=2)),
        ),
    ),
    max_size=3,
)
FLOWS = st.builds(
    lambda more, args, jobs, sweep: {
        "name": "x",
        "args": args,
        "jobs": jobs,
        **({"sweep": sweep} if sweep else {}),
        **more,
    },
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2),
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=2),
    JOBS,
    st.one_of(
        st.none(), VALUES, st.fixed_dictionaries({"matrix": st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2)})
    ),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(FLOWS)
@example({"name": "x", "": 3, "jobs": [{"name": "a", "command": ["{{ [[1], 2] }}"], "": {"": ""}}]})
@example({"name": "x", "args": {"a": [1], "b": {"c": 2}}, "sweep": {"matrix": {"a": [[1], {"b": 2}]}, "exclude": [{"a": [1]}]}, "jobs": [{"name": "a", "command": ["{{ a }}"]}]})  # fmt: skip
def test_no_yaml_makes_a_traceback(data):
    """Whatever a file says, it is a flow that makes a plan, or it is refused with places in the file."""
    text = yaml.safe_dump(data, allow_unicode=True)
    try:
        flow = loads(text)
    except ConfigError as error:
        assert error.problems
        assert all(one.line >= 1 and one.code.startswith("LC1") for one in error.problems)
        return
    plan_of(flow).graph()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("abn:{}[]-,'\" \n%&*!|>#")))
def test_no_text_makes_a_traceback(text):
    try:
        loads(text)
    except ConfigError as error:
        assert error.problems
