"""Read the header of a file of weights, whatever its format: safetensors, or GGUF by its ending."""

from __future__ import annotations

from pathlib import Path

from graphgen_nodes.checkpoints.gguf import read_gguf
from graphgen_nodes.checkpoints.header import Header, read_header

GGUF = ".gguf"
WEIGHT_FILES = (".safetensors", GGUF)
"""The endings of files that models are read from."""


def file_header(path: Path) -> Header:
    """Read and check the header of a file of weights.

    Raises:
        CheckpointError: it is not what its name says, or damaged.
    """
    return read_gguf(path) if path.suffix.lower() == GGUF else read_header(path)
