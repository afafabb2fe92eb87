"""What a wheel holds beside the packages: the example workflows, which an editable install finds in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Examples(BuildHookInterface):  # type: ignore[type-arg]
    """Put workflows/ into the wheel as graphgen/workflows."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder, unless the install is editable."""
        if version != "editable":
            build_data["force_include"][str(Path(self.root) / "workflows")] = "graphgen/workflows"
