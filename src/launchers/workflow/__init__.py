"""Flows: a pipeline on one YAML page, compiled to a Plan.  There is no second engine."""
