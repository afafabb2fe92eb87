"""Loading weights beside safetensors' own load_file: a UNet of Stable Diffusion's kind with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from benchmarks.measure import Measurement, best_of
from graphgen import Place
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.loading import ModelLoader

WIDTHS = (256, 512, 1024, 1024)
ROUNDS = 3


def measure() -> Iterator[Measurement]:
    """Measure in turns, the file in the system's cache, in the precision of the file; the best of three counts."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "unet"
        with torch.device("meta"):
            network = UNet2DConditionModel(block_out_channels=WIDTHS, cross_attention_dim=768)
        network = network.half().to_empty(device="cpu")
        for parameter in network.parameters():
            parameter.data.fill_(0.01)
        network.save_pretrained(path)
        del network
        (file,) = path.glob("*.safetensors")
        size = file.stat().st_size
        handle = denoiser_handle(open_checkpoint(path), "epsilon")
        half, whole = Place("cpu", "float16"), Place("cpu", "float32")

        def plain(precision: torch.dtype) -> None:
            for value in load_file(file).values():
                torch.isfinite(value.to(precision)).all()

        def ours(place: Place) -> None:
            ModelLoader().load(handle, place, lambda done, total: None)  # noqa: ARG005

        group = f"a UNet of {size / 1e9:.2f} GB in float16"
        for place, precision in ((half, torch.float16), (whole, torch.float32)):
            best = best_of(ROUNDS, partial(plain, precision))
            took = best_of(ROUNDS, partial(ours, place))
            words = f"load_file, {place.dtype}, and a look for NaN"
            yield Measurement(group, f"loaded in {place.dtype}", took, "s", None, words, took / best)
        yield Measurement(group, "load_file alone", best_of(ROUNDS, lambda: load_file(file)), "s")
