"""Flows: a pipeline on one YAML page, compiled to a Plan.  There is no second engine."""

from __future__ import annotations
