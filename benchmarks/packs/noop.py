"""A pack whose node does nothing, for workers to find."""

from __future__ import annotations

from collections.abc import Callable

from graphgen import hookimpl, node


@node(category="benchmark")
def nothing(value: object | None = None) -> int:  # noqa: ARG001
    """Do nothing with whatever comes."""
    return 0


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the node."""
    return [nothing]
