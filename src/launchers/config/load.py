"""Load a launchers.yaml as objects of its schema."""

from __future__ import annotations

from pathlib import Path as FilePath

import attrs

from launchers.config import schema
from launchers.files.structure import read_text, structure_text
from launchers.files.tree import Tree


@attrs.frozen
class Config:
    """A loaded launchers.yaml: the schema objects, and the tree that knows the place of every value."""

    document: schema.Document
    tree: Tree = attrs.field(repr=False)

    @property
    def file(self) -> str:
        """The file as it is named in messages."""
        return self.tree.file


def load(path: FilePath) -> Config:
    """Load a file. Raises ConfigError with all its problems, also when it cannot be read."""
    return loads(read_text(path), str(path))


def loads(text: str, file: str = "<text>") -> Config:
    """Load a text; `file` names it in messages. Raises ConfigError with all its problems."""
    what = "a launchers.yaml is a mapping with local:, slurm: and oar:"
    return Config(*structure_text(text, file, schema.Document, what))
