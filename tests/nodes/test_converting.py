"""Pickled files give up their tensors and nothing else: what would run never does, and nothing is written over."""

from __future__ import annotations

import os
import pickle
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from graphgen.cli import main
from graphgen_nodes.checkpoints import CheckpointError
from graphgen_nodes.checkpoints.converting import convert
from graphgen_nodes.checkpoints.unpickling import Refused, tensors_of


class Trap:
    """Calls something when it is unpickled."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


def saved(path: Path, value: object, **more: Any) -> Path:
    torch.save(value, path, **more)
    return path


def test_a_checkpoint_of_a_trainer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tensors that share memory come apart, weights are found beside the training's state, and it is told whence."""
    shared = torch.arange(12.0).reshape(3, 4)
    weights = {"a": shared, "b": shared[1:], "c": shared.T, "half": torch.ones(2).bfloat16(), "none": torch.zeros(0, 3)}
    trained = {"state_dict": weights, "epoch": 3, "optimizer": {"lr": 0.1}}
    path = saved(tmp_path / "model.ckpt", trained)
    assert main(["convert", str(path)]) == 0
    assert "5 tensors" in capsys.readouterr().out
    made = tmp_path / "model.safetensors"
    found = load_file(made)
    assert found.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(found[name], value)
        assert found[name].dtype == value.dtype
    with safe_open(made, framework="pt") as file:
        assert file.metadata()["converted_from"] == "model.ckpt"
        assert file.metadata()["converted_from_sha256"] == sha256(path.read_bytes()).hexdigest()


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "model.pt", {"a": torch.zeros(2)})
    (tmp_path / "model.safetensors").write_text("mine")
    assert main(["convert", str(path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "model.safetensors").read_text() == "mine"
    assert sorted(item.name for item in tmp_path.iterdir() if item.is_file()) == ["model.pt", "model.safetensors"]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
def test_what_would_run_never_runs(zipped: bool, tmp_path: Path) -> None:
    trap = Trap(os.mkdir, str(tmp_path / "sprung"))
    path = saved(tmp_path / "model.ckpt", {"a": torch.zeros(2), "b": trap}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"model\.ckpt: cannot be converted: it holds more than tensors.*mkdir"):
        convert(path, tmp_path / "model.safetensors")
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "model.safetensors").exists()
    bare = tmp_path / "bare.bin"
    bare.write_bytes(pickle.dumps(trap))
    with pytest.raises(CheckpointError, match="cannot be converted"):
        convert(bare, tmp_path / "bare.safetensors")
    assert not (tmp_path / "sprung").exists()


def test_what_is_no_pickle_or_damaged_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.ckpt", {"a": torch.zeros(2000)})
    (tmp_path / "cut.ckpt").write_bytes(path.read_bytes()[:4000])
    with pytest.raises(CheckpointError, match="it is damaged"):
        convert(tmp_path / "cut.ckpt", tmp_path / "cut.safetensors")
    (tmp_path / "text.ckpt").write_text("a text")
    with pytest.raises(CheckpointError, match="holds no pickle"):
        convert(tmp_path / "text.ckpt", tmp_path / "text.safetensors")
    with pytest.raises(CheckpointError, match="no pickled file by its name"):
        convert(tmp_path / "text.txt", tmp_path / "text.safetensors")
    with pytest.raises(CheckpointError, match="must end in"):
        convert(path, tmp_path / "model.txt")
    with pytest.raises(CheckpointError, match="no such folder"):
        convert(path, tmp_path / "nowhere" / "model.safetensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        convert(tmp_path / "absent.ckpt", tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="no tensors in it"):
        convert(saved(tmp_path / "empty.pt", {"epoch": 3}), tmp_path / "empty.safetensors")


def test_shapes_of_files(tmp_path: Path) -> None:
    """Embeddings, adapters and upscalers come under the names that their safetensors files have."""
    one, two = torch.ones(2, 4), torch.zeros(3)
    cases: list[tuple[object, dict[str, Tensor], list[str]]] = [
        ({"<cat>": one}, {"<cat>": one}, []),
        ({"string_to_param": {"*": one}, "name": "cat", "step": 5}, {"emb_params": one}, []),
        ({"image_proj": {"w": one}, "ip_adapter": {"1": {"k": two}}}, {"image_proj.w": one, "ip_adapter.1.k": two}, []),
        ({"params": {"w": two}, "params_ema": {"w": one}}, {"w": one}, []),
        ({"w": one, "global_step": 3, "name": None}, {"w": one}, ["global_step", "name"]),
    ]
    for given, expected, left in cases:
        tensors, named = tensors_of(given)
        assert tensors.keys() == expected.keys()
        assert all(torch.equal(tensors[name], value) for name, value in expected.items())
        assert named == left
    with pytest.raises(Refused, match=r"two tensors go by the name 'a\.b'"):
        tensors_of({"a": {"b": one}, "a.b": two})


LOCKED = """
import sys, os, socket, subprocess
from pathlib import Path
from graphgen_nodes.checkpoints.unpickling import _lock_up
_lock_up(Path(sys.argv[1]))
open(sys.argv[1], "wb").close()
open(__file__, "rb").close()
print("still here", flush=True)
{reach}
print("went through", flush=True)
"""


@pytest.mark.parametrize(
    "reach",
    [
        "socket.create_connection(('127.0.0.1', {port}))",
        "subprocess.run(['true'])",
        "os.system('true')",
        "open(sys.argv[1] + '.other', 'w')",
        "os.open(sys.argv[1] + '.other', os.O_CREAT | os.O_RDWR)",
    ],
)
def test_the_process_cannot_reach_outside(reach: str, tmp_path: Path) -> None:
    import subprocess
    import sys

    with socket.create_server(("127.0.0.1", 0)) as server:
        code = LOCKED.format(reach=reach.format(port=server.getsockname()[1]))
        script = tmp_path / "script.py"
        script.write_text(code)
        command = [sys.executable, str(script), str(tmp_path / "made")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout == "still here\n"
    assert "tried to reach outside" in done.stderr
    assert (tmp_path / "made").exists()
    assert not (tmp_path / "made.other").exists()
