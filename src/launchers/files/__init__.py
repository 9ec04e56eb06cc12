"""Files that people write: YAML to attrs objects, problems with their places, atomic writes, JSON Schema."""
