"""The serving process stays light: pictures and prompts go through it, and no tensor is made in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Terminal
from engine_kit import N, workflow
from server import server_kit

LINES: dict[str, Any] = {
    "red": N("images.solid", {"color": "#ff0000", "width": 16, "height": 16}),
    "blue": N("images.solid", {"color": "#0000ff", "width": 16, "height": 16}),
    "both": N("flow.collect", items=["red.image", "blue.image"]),
    "small": {**N("images.resize", {"width": 8, "height": 8}, image="both.items"), "map": {"over": ["image"]}},
    "one": N("flow.pick", {"index": 1}, items="small.image"),
    "chosen": N("flow.switch", {"condition": True}, if_true="one.value", if_false="red.image"),
    "save": N("images.save", image="chosen.value"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at what is mapped, as Linux tells it")
def test_pictures_pass_through_lists_choices_and_maps_without_torch(tmp_path: Path) -> None:
    server = server_kit.start(Terminal(tmp_path, complete=True))
    try:
        done = server.client.wait(server.client.submit(workflow(LINES))["id"])
        assert (done["status"], done["failures"]) == ("done", [])
        assert server.client.get(done["files"][0]["url"]).body.startswith(b"\x89PNG")
        assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()
    finally:
        assert server.stop() == 0
