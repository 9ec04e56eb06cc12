"""launchers: say what a job needs, get the launcher that really starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launchers.errors import LauncherNotFoundError as LauncherNotFoundError
    from launchers.errors import RunError as RunError
    from launchers.files.problems import ConfigError as ConfigError
    from launchers.flow.run import run_flow as run_flow
    from launchers.launcher.find import find_launcher as find_launcher
    from launchers.launcher.launcher import Launcher as Launcher
    from launchers.launcher.run_command import DetachedJob as DetachedJob
    from launchers.launcher.run_command import detach_command as detach_command
    from launchers.launcher.run_command import run_command as run_command
    from launchers.plan import Chain as Chain
    from launchers.plan import Dag as Dag
    from launchers.plan import Map as Map
    from launchers.plan import Parallel as Parallel
    from launchers.plan import Plan as Plan
    from launchers.plan import PlanError as PlanError
    from launchers.plan import ResultOf as ResultOf
    from launchers.plan import Step as Step
    from launchers.plan import result_of as result_of
    from launchers.plan.retry import retry as retry
    from launchers.requirement import Requirement as Requirement
    from launchers.requirement import RequirementSyntaxError as RequirementSyntaxError
    from launchers.requirement import cpu as cpu
    from launchers.requirement import cuda_gpu as cuda_gpu
    from launchers.requirement import duration as duration
    from launchers.requirement import gpu as gpu
    from launchers.requirement import mps_gpu as mps_gpu
    from launchers.requirement import nodes as nodes
    from launchers.requirement import parse as parse
    from launchers.requirement import rocm_gpu as rocm_gpu
    from launchers.runs.run import PlanRun as PlanRun
    from launchers.runs.run import StepsFailedError as StepsFailedError
    from launchers.runs.run import open_run as open_run
    from launchers.runs.send import SubmitError as SubmitError
    from launchers.runs.send import resume as resume
    from launchers.scan.running import run_scan as run_scan
    from launchers.slurm.args import MailType as MailType
    from launchers.slurm.args import SlurmArgs as SlurmArgs

__version__ = "0.1.0"

_HOME = {
    "Launcher": "launchers.launcher.launcher",
    **dict.fromkeys(("LauncherNotFoundError", "RunError"), "launchers.errors"),
    "find_launcher": "launchers.launcher.find",
    **dict.fromkeys(("DetachedJob", "detach_command", "run_command"), "launchers.launcher.run_command"),
    "ConfigError": "launchers.files.problems",
    "run_flow": "launchers.flow.run",
    **dict.fromkeys(
        ("Chain", "Dag", "Map", "Parallel", "Plan", "PlanError", "ResultOf", "Step", "result_of"), "launchers.plan"
    ),
    "retry": "launchers.plan.retry",
    **dict.fromkeys(("PlanRun", "StepsFailedError", "open_run"), "launchers.runs.run"),
    **dict.fromkeys(("SubmitError", "resume"), "launchers.runs.send"),
    "run_scan": "launchers.scan.running",
    **dict.fromkeys(("Requirement", "RequirementSyntaxError", "parse"), "launchers.requirement"),
    **dict.fromkeys(("cpu", "cuda_gpu", "rocm_gpu", "mps_gpu", "gpu", "duration", "nodes"), "launchers.requirement"),
    **dict.fromkeys(("MailType", "SlurmArgs"), "launchers.slurm.args"),
}
__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import launchers` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'launchers' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
