"""Who does the work of one engine: its devices, its lanes, and whether these are threads or worker processes.

In: the configuration, the registry and the cache. Out: the devices, and `Lanes`. Cheap nodes always run in the
engine's own process: handing one over would cost more than doing it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from graphgen.cache import Cache
from graphgen.config import Config
from graphgen.devices import DeviceLane, DevicesLane, needs_of
from graphgen.hookspecs import DeviceInfo
from graphgen.inference import PathOf
from graphgen.lanes import InlineLane, Lanes, LoopLane, ThreadLane
from graphgen.partial import Partials
from graphgen.registry import Registry
from graphgen.remote import ProcessLane
from graphgen.residency import Place, Residency
from graphgen.seat import Terms
from graphgen.tasks import Lane
from graphgen.workshop import Workshop

_AT_ONCE = 64
"""Async nodes that one worker runs at once: they mostly wait."""


@dataclass(frozen=True)
class Crew:
    """What lanes are made of. `allowed` are the absolute paths that nodes may read, which may change meanwhile."""

    config: Config
    registry: Registry
    devices: Sequence[DeviceInfo]
    path_of: PathOf
    cache: Cache
    allowed: Collection[str] = ()
    partials: Partials | None = None


def make_lanes(crew: Crew, *, lasting: bool) -> Lanes:
    """Make the lanes of an engine; `lasting` tells that it will carry out many runs. Nothing is started yet."""
    return _processes(crew) if crew.config.in_processes(lasting=lasting) else _threads(crew)


def _threads(crew: Crew) -> Lanes:
    workshop = _workshop(crew)
    return Lanes(
        inline=InlineLane(workshop),
        pool=ThreadLane("pool", workshop, threads=crew.config.threads),
        device=_together(crew, [_device_thread(crew, workshop, device) for device in crew.devices]),
        loop=LoopLane(workshop),
    )


def _processes(crew: Crew) -> Lanes:
    terms = terms_of(crew, crew.devices[0], lends=False)
    return Lanes(
        inline=InlineLane(_workshop(crew)),
        pool=ProcessLane("pool", terms, workers=crew.config.cpu_workers),
        device=_together(crew, [ProcessLane(device.name, terms_of(crew, device)) for device in crew.devices]),
        loop=ProcessLane("loop", terms, width=_AT_ONCE),
        light=True,
    )


def _workshop(crew: Crew) -> Workshop:
    return Workshop(crew.registry, crew.path_of, crew.cache.wrap, crew.devices[0], partials=crew.partials)


def _device_thread(crew: Crew, workshop: Workshop, device: DeviceInfo) -> ThreadLane:
    residency = Residency(crew.registry.loaders, Place(device.name, device.dtype), crew.config.device_bytes)
    return ThreadLane(device.name, replace(workshop, device=device, residency=residency))


def _together(crew: Crew, lanes: Sequence[DeviceLane]) -> Lane:
    """Make one lane of the devices'."""
    if len(lanes) == 1:
        return lanes[0]
    return DevicesLane(lanes, partial(needs_of, codec=crew.registry.codec, loaders=crew.registry.loaders))


def terms_of(crew: Crew, device: DeviceInfo, *, lends: bool = True) -> Terms:
    """Return what a worker is told that computes on a device; one that does not lend weights is for other nodes."""
    config = crew.config
    setup = {
        "roots": {name: str(path) for name, path in asdict(config.roots).items()},
        "device": device.name,
        "dtype": device.dtype,
        "device_bytes": config.device_bytes,
        "disabled_plugins": list(config.disabled_plugins),
        "lends": lends,
        "remembers": crew.partials is not None,
    }
    return Terms(
        setup,
        crew.registry.codec,
        crew.allowed,
        partials=crew.partials,
        seconds=config.time_limit,
        own_bytes=config.worker_bytes,
    )


def choose_devices(config: Config, registry: Registry) -> tuple[DeviceInfo, ...]:
    """Choose where `device="gpu"` nodes run, from the configuration and what plugins find on this machine."""
    wanted = config.devices or (config.device,)
    found = registry.find_devices()
    if wanted == ("auto",):
        devices = [*found, DeviceInfo("cpu", "float32")][:1]
    else:
        dtypes = {item.kind: item.dtype for item in reversed(found)}
        devices = [DeviceInfo(name, dtypes.get(name.partition(":")[0], "float32")) for name in wanted]
    if config.precision == "auto":
        return tuple(devices)
    return tuple(DeviceInfo(device.name, config.precision) for device in devices)
