"""Each test has a cluster of its own."""

import pytest

from launchers.slurm.settings import forget_settings


@pytest.fixture(autouse=True)
def another_cluster():
    """Nothing is known of the cluster of another test."""
    forget_settings()
    yield
    forget_settings()
