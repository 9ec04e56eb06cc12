"""The jobs of a flow with `defaults` filled in, and the keys of `resources` and `environment` that stand in a job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import asdict, evolve, fields

from launchers.flow.model import AMOUNT_KEYS, FlowJob, read_dependencies
from launchers.flow.schema import FlowDocument, JobDefaults, JobEnvironment, JobResources, JobSpec


def jobs_with_defaults(document: FlowDocument) -> dict[str, FlowJob]:
    """The jobs of a document by their names; a job whose name is missing or taken is called by its position."""
    defaults = document.defaults or JobDefaults()
    jobs: dict[str, FlowJob] = {}
    for index, spec in enumerate(document.jobs or ()):
        if spec is None:
            continue  # it could not be read
        name = spec.name if spec.name and spec.name not in jobs else f"[{index}]"
        jobs[name] = _with_defaults(name, index, spec, defaults)
    return jobs


def _with_defaults(name: str, index: int, spec: JobSpec, defaults: JobDefaults) -> FlowJob:
    whole = overlay(JobSpec, spec, defaults)
    resources = overlay(JobResources, spec.resources, spec)
    default_resources = overlay(JobResources, defaults.resources, defaults)
    # A job says what it needs either way, and that replaces what the defaults say the other way.
    if any(getattr(resources, key) is not None for key in AMOUNT_KEYS):
        whole = evolve(whole, needs=spec.needs)
    elif spec.needs is not None:
        default_resources = evolve(default_resources, **dict.fromkeys(AMOUNT_KEYS))
    return FlowJob(
        name=name,
        index=index,
        spec=whole,
        resources=overlay(JobResources, resources, default_resources),
        environment=_overlay_environment([spec.environment, spec, defaults.environment, defaults]),
        waits=tuple(read_dependencies(spec.depends_on)),
    )


def _overlay_environment(layers: Iterable[Any]) -> JobEnvironment:
    """The environment of several layers, the strongest first.

    The strongest layer with conda or venv gives both; the variables of all layers are combined.
    """
    layers = [layer for layer in layers if layer is not None]
    settings = asdict(overlay(JobEnvironment, *layers), recurse=False)
    nearest = next((layer for layer in layers if layer.conda or layer.venv), None)
    if nearest is not None:
        settings |= {"conda": nearest.conda, "venv": nearest.venv}
    variables: dict[str, Any] = {}
    for layer in reversed(layers):
        variables |= {**(layer.env_vars or {}), **(layer.env or {})}
    return JobEnvironment(**{**settings, "env": variables, "env_vars": None})


def overlay(kind: type[Any], *layers: Any) -> Any:
    """An object of a class whose fields have the value of the first layer that has one."""
    settings = {}
    for field in fields(kind):
        values = (getattr(layer, field.name, None) for layer in layers if layer is not None)
        settings[field.name] = next((value for value in values if value is not None), None)
    return kind(**settings)
