"""What sampling costs above the network itself: the embedded model in graphgen, and in a bare loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DConditionModel

from benchmarks.measure import Measurement
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.events import Event, NodeFinished
from graphgen.workflow import read_workflow

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "nodes" / "graphgen_nodes" / "models" / "emoji"
STEPS, ROUNDS, BATCH = 20, 5, 4


def measure() -> Iterator[Measurement]:
    """Time one step of the sampler node beside one step of a plain loop, in turns, in one process."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    unet = UNet2DConditionModel.from_pretrained(MODEL / "unet", torch_dtype=dtype).to(device).eval()
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(MODEL / "scheduler")
    graphgen, bare = [], []
    with TemporaryDirectory() as folder, _engine(Path(folder)) as engine:
        for seed in range(ROUNDS + 1):
            graphgen.append(_sample_node(engine, seed))
            bare.append(_bare_loop(unet, scheduler, seed))
    ours, theirs = min(graphgen[1:]) / STEPS, min(bare[1:]) / STEPS  # the first round loads and warms up
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    yield Measurement(
        "sampling", f"each step, batch of {BATCH}, {name}", ours * 1e3, "ms", None, "a bare loop", ours / theirs
    )


def _engine(folder: Path) -> Engine:
    roots = {name: folder / name for name in ("models", "inputs", "outputs", "cache", "data")}
    return Engine(Config.load(roots, environment={}))


def _sample_node(engine: Engine, seed: int) -> float:
    workflow = read_workflow(ROOT / "workflows" / "text_to_image.json")
    plan = engine.plan(engine.check(workflow, {"seed": seed, "steps": STEPS, "count": BATCH}), ["sample"])
    spent: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, NodeFinished) and event.node == "sample":
            spent.append(event.seconds)

    engine.execute(plan, listen=listen, previews=False)
    return spent[0]


@torch.inference_mode()
def _bare_loop(unet: UNet2DConditionModel, scheduler: FlowMatchEulerDiscreteScheduler, seed: int) -> float:
    generator = torch.Generator().manual_seed(seed)
    config = unet.config
    size, device, dtype = config.sample_size, unet.device, unet.dtype
    x = torch.randn(BATCH, config.in_channels, size, size, generator=generator).to(device)
    text = torch.randn(2 * BATCH, 77, config.cross_attention_dim, generator=generator).to(device, dtype)
    scheduler.set_timesteps(STEPS)
    began = perf_counter()
    for timestep in scheduler.timesteps:
        both = torch.cat([x, x]).to(dtype)
        negative, positive = unet(both, timestep, encoder_hidden_states=text).sample.float().chunk(2)
        x = scheduler.step(negative + 3.0 * (positive - negative), timestep, x).prev_sample
    x.cpu()
    return perf_counter() - began
