"""`graphgen convert`: take the tensors out of a pickled file, into one that can be loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from graphgen.cli.call import DONE, CallError, Parser
from graphgen.cli.screen import Screen, style
from graphgen.engine import Engine


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser(
        "convert",
        "Take the tensors out of a pickled file, in a process of their own and without running what else is in it.",
        "FILE [-o FILE.safetensors] [--json]",
    )
    made.add_argument("file", metavar="FILE", help="a .ckpt, .pt, .pth or .bin file: a model, a LoRA, an embedding")
    words = "where to write; beside the file, under its name, if not given; nothing is written over"
    made.add_argument("-o", "--output", metavar="FILE", help=words)
    made.add_json("what was written")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    source = Path(call.file)
    target = Path(call.output) if call.output else source.with_suffix(".safetensors")
    with Engine(use_cache=False) as engine:
        done = engine.registry.convert(source, target)
    if done is None:
        raise CallError(f"no plugin can convert {source.name}; `graphgen plugins` shows which are broken")
    if call.json:
        Screen().line(json.dumps({"written": str(target), "holds": done}))
    else:
        Screen().line(f"{style('written', 'green')}  {target}  {done}")
    return DONE
