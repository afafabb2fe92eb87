"""The parts of the editor: what a browser loads before it shows anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from server.server_kit import serving

from graphgen.server.routes import page

SCRIPT = b"console.log('an editor');\n" * 1_000


def test_parts_are_sent_compressed_to_who_takes_them_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = tmp_path / "editor" / "assets"
    parts.mkdir(parents=True)
    (parts / "index-1a2b.js").write_bytes(SCRIPT)
    monkeypatch.setattr(page, "editor_folder", lambda: parts.parent)
    with serving(tmp_path / "server") as client:
        packed = client.get("/assets/index-1a2b.js", Accept_Encoding="gzip, br")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) < len(SCRIPT) / 10
        plain = client.get("/assets/index-1a2b.js", Accept_Encoding="identity")
        assert "Content-Encoding" not in plain.headers
        assert packed.body == plain.body == SCRIPT  # the client unpacks it
        for answer in (packed, plain):
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.headers["Content-Type"].startswith(("text/javascript", "application/javascript"))
        assert client.get("/assets/index-3c4d.js", Accept_Encoding="gzip").status == 404
