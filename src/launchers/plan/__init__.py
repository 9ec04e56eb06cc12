"""A DAG of steps, each on the partition it needs: built as a tree, submitted once, followed from its run folder."""

from launchers.plan.model import Chain, Map, Parallel, Plan, PlanError, ResultOf, Step

__all__ = ["Chain", "Map", "Parallel", "Plan", "PlanError", "ResultOf", "Step"]
