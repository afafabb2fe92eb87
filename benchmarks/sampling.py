"""What sampling costs above the network itself: the embedded model in graphgen, and in a bare loop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DConditionModel

from benchmarks.measure import Measurement, best_of
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.events import Event, NodeFinished
from graphgen.jsontypes import json_digest
from graphgen.partial import CachedPartials
from graphgen_nodes.sockets import Evaluation, SamplerState

ROOT = Path(__file__).parent.parent
MODEL = ROOT / "nodes" / "graphgen_nodes" / "models" / "emoji"
STEPS, ROUNDS, BATCH = 20, 5, 4


def measure() -> Iterator[Measurement]:
    """Time one step of the sampler node beside one step of a plain loop, in turns, in one process."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    unet = UNet2DConditionModel.from_pretrained(MODEL / "unet", torch_dtype=dtype).to(device).eval()
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(MODEL / "scheduler")
    graphgen, without, each, bare = [], [], [], []
    with TemporaryDirectory() as folder, _engine(Path(folder)) as engine:
        for seed in range(ROUNDS + 1):
            graphgen.append(_sample_node(engine, seed))
            without.append(_sample_node(engine, seed, keep_every=0))
            each.append(_sample_node(engine, seed, keep_every=1))
            bare.append(_bare_loop(unet, scheduler, seed))
        yield _large_state(engine)
    # the first round loads and warms up
    ours, kept_none, kept_each, theirs = (min(times[1:]) / STEPS for times in (graphgen, without, each, bare))
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    where = f"batch of {BATCH}, {name}"
    yield Measurement("sampling", f"each step, {where}", ours * 1e3, "ms", None, "a bare loop", ours / theirs)
    nothing = "no states kept"
    yield Measurement(
        "sampling", f"a state kept every 5 steps, {where}", ours * 1e3, "ms", None, nothing, ours / kept_none
    )
    ratio = kept_each / kept_none
    yield Measurement("sampling", f"a state kept every step, {where}", kept_each * 1e3, "ms", None, nothing, ratio)


def _engine(folder: Path) -> Engine:
    roots = {name: folder / name for name in ("models", "inputs", "outputs", "cache", "data")}
    return Engine(Config.load(roots, environment={}))


def _large_state(engine: Engine) -> Measurement:
    """Time what keeping one state costs the sampling thread: Euler's, for a picture of 1024 pixels in 16 channels."""
    x = torch.randn(1, 16, 128, 128)
    states = iter([SamplerState(x + k, k + 1, (Evaluation(1.0, x - k, x * k),)) for k in range(ROUNDS + 1)])
    partials = CachedPartials(engine.cache)

    def keep() -> None:
        state = next(states)
        partials.remember(json_digest(["benchmark", state.step]), engine.cache.wrap(state), 1.0)

    return Measurement("sampling", "keeping one state of 3 MiB", best_of(ROUNDS, keep) * 1e3, "ms")


def _sample_node(engine: Engine, seed: int, keep_every: int = 5) -> float:
    document = json.loads((ROOT / "workflows" / "text_to_image.json").read_text(encoding="utf-8"))
    document["nodes"]["sample"]["settings"] = {"keep_every": keep_every, "preview": False}
    document["nodes"]["noise"]["settings"]["first"] = keep_every * 100  # so that none goes on from another's states
    graph = engine.check(document, {"seed": seed, "steps": STEPS, "count": BATCH})
    plan = engine.plan(graph, ["sample"])
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
