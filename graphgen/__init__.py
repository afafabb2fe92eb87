"""graphgen: a plugin-based node-graph workflow engine for image generation.

This is what a node author imports, and `run` for those who call workflows from Python.
"""

from graphgen.codec import Buffer, BufferCodec, Distance
from graphgen.context import Context, Preview
from graphgen.engine import run, run_async
from graphgen.errors import Cancelled, GraphgenError, Refusal, ResourceError, RunFailed, WorkflowError
from graphgen.expansion import Expansion
from graphgen.files import Files, OutputFile
from graphgen.hookspecs import Conversion, DeviceInfo, Diagnosis, FileFormat, Renderer, Shipped, hookimpl
from graphgen.lazy import Lazy
from graphgen.node import node
from graphgen.novalue import NoValue
from graphgen.residency import Lease, Loaded, Loader, Place
from graphgen.spec import Facts, Known, Migration
from graphgen.stream import AsyncStream, Stream
from graphgen.types import Family
from graphgen.widgets import Color, Curve, File, PaintedMask, Seed, Slider, TextArea, Wireable

# fmt: off
__all__ = [
    "AsyncStream", "Buffer", "BufferCodec", "Cancelled", "Color", "Context", "Conversion", "Curve", "DeviceInfo",
    "Diagnosis", "Distance", "Expansion", "Facts", "Family", "File", "FileFormat", "Files", "GraphgenError", "Known",
    "Lazy", "Lease", "Loaded", "Loader", "Migration", "NoValue", "OutputFile", "PaintedMask", "Place", "Preview",
    "Refusal", "Renderer", "ResourceError", "RunFailed", "Seed", "Shipped", "Slider", "Stream", "TextArea",
    "Wireable", "WorkflowError", "hookimpl", "node", "run", "run_async",
]
# fmt: on
