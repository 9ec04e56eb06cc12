"""Files that people write: YAML to attrs with places, problems, whole writes, JSON Schema."""
