"""launchers.yaml: its schema, layers and checks, and writing it."""
