"""Requirements for property tests."""

from hypothesis import strategies as st

from launchers.requirement import Accelerator, Alternative, Requirement

MODELS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters='"'), min_size=1, max_size=12)
MODELS = MODELS.filter(str.isprintable)
ACCELERATORS = st.builds(
    Accelerator,
    st.sampled_from(["cuda", "rocm", "mps", "gpu"]),
    st.integers(0, 2**38).map(lambda kib: kib * 1024),
    st.none() | MODELS,
)
ALTERNATIVES = st.builds(
    Alternative,
    duration=st.none() | st.integers(1, 3660 * 86400),
    cpu_memory=st.integers(0, 2**40).map(lambda kib: kib * 1024),
    cores=st.integers(0, 1000),
    accelerators=st.lists(ACCELERATORS, max_size=4).map(tuple),
    nodes=st.integers(1, 1000),
)
REQUIREMENTS = st.lists(ALTERNATIVES, min_size=1, max_size=4).map(lambda some: Requirement(tuple(some)))
