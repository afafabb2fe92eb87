"""Checkpoints on disk: what is in them, read from headers alone, without torch and without ever unpickling."""

from graphgen_nodes.checkpoints.header import CheckpointError, Header, TensorInfo, read_header
from graphgen_nodes.checkpoints.identity import identity, joint_identity
from graphgen_nodes.checkpoints.parts import Checkpoint, Part, open_checkpoint

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Header",
    "Part",
    "TensorInfo",
    "identity",
    "joint_identity",
    "open_checkpoint",
    "read_header",
]
