"""What every kind of network says of itself so that checkpoints of it can be loaded.

An `Architecture` knows the key table of its original release, how to read its configuration from tensor shapes, and
how to build the library's class for it. The first two are torch-free.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import Rule, Shape, Source, translate
from graphgen_nodes.checkpoints.parts import Config, Part
from graphgen_nodes.checkpoints.scales import scaled

if TYPE_CHECKING:
    from torch import Tensor, nn

Shapes = Mapping[str, Shape]

SAME = Rule("", "")
"""The rule that keeps every name as it is."""


LEADING_AWAY = ("auto_map", "trust_remote_code", "custom_pipelines", "quantization_config", "_name_or_path")
"""Settings of a config.json that are never handed on: by them libraries find code or files elsewhere."""


class Incomplete(Exception):
    """Tensors are missing between others; whoever knows the file says which file it is."""


class Architecture(ABC):
    """One kind of network: its key tables, its configuration from shapes, and the library's class for it."""

    classes: tuple[str, ...] = ()
    """The class names a folder's config.json may give for it."""

    @abstractmethod
    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the key table for a part with these tensors, in whichever layout they are named."""

    @abstractmethod
    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read the configuration from the shapes of the network's own tensors (names already translated)."""

    @abstractmethod
    def build(self, config: Config) -> nn.Module:
        """Build the library's network; called under `torch.device("meta")`, in the worker."""

    def release_names(self, shapes: Shapes) -> Shapes:  # noqa: ARG002
        """Return, for a network with these tensors, what `rules` looks at to write the table from the release's names.

        Only names count. By default nothing, for networks whose releases have no names of their own.
        """
        return {}

    def sources(self, part: Part) -> dict[str, Source]:
        """Translate a part's names: for each of the network's tensors, what it is made of.

        Raises:
            CheckpointError: the part holds tensors that this kind of network does not have, or unknown scales.
        """
        given = scaled(part)
        try:
            rules = self.rules(given.shapes)
        except Incomplete as error:
            raise CheckpointError(f"{part}: {error}; download it again") from error
        found = translate(given.shapes, rules, str(part))
        return {name: replace(source, scale=given.scales.get(source.name)) for name, source in found.items()}

    def configure(self, part: Part, sources: Mapping[str, Source]) -> Config:
        """Return the part's configuration: its config.json, or what its shapes tell.

        Raises:
            CheckpointError: config.json is for another class, or the tensors do not add up to a network.
        """
        if part.config is not None:
            self._check_class(part)
            return {name: value for name, value in part.config.items() if not _leads_away(name)}
        try:
            return self.config({name: source.shape for name, source in sources.items()})
        except (KeyError, IndexError) as error:
            raise CheckpointError(f"{part}: is incomplete: it lacks {error}; download it again") from error
        except Incomplete as error:
            raise CheckpointError(f"{part}: {error}; download it again") from error

    def names_in(self, module: nn.Module, names: Iterable[str]) -> dict[str, str]:  # noqa: ARG002
        """Return, for each tensor of the built network that is stored, the name that the table has for it."""
        return {name: name for name in names}

    def buffers(self, module: nn.Module) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Return what the network computes when it is built, which no checkpoint stores and the meta device loses."""
        return {}

    def _check_class(self, part: Part) -> None:
        told = (part.config or {}).get("_class_name") or (part.config or {}).get("architectures")
        names = told if isinstance(told, list) else [told]
        if told is not None and not set(names) & set(self.classes):
            raise CheckpointError(
                f"{part.path / 'config.json'}: is for {', '.join(map(str, names))}; {' or '.join(self.classes)} is "
                "expected in this place"
            )


def _leads_away(name: str) -> bool:
    """Tell whether a setting names code or kernels for a library to fetch and run, instead of a network's shape."""
    return name in LEADING_AWAY or "attn_implementation" in name


def count(shapes: Iterable[str], prefix: str) -> int:
    """Count the numbered members under a dotted prefix: with `blocks.0.a` and `blocks.1.a` it is 2 for `blocks`.

    Raises:
        Incomplete: a number is left out; a forged name would otherwise set off a walk over billions of blocks.
    """
    start = f"{prefix}."
    words = {name[len(start) :].split(".", 1)[0] for name in shapes if name.startswith(start)}
    numbers = {int(word) for word in words if word.isascii() and word.isdecimal() and len(word) < 9}
    if numbers and max(numbers) >= len(numbers):
        raise Incomplete(
            f"the tensors under {prefix!r} are numbered up to {max(numbers)}, "
            f"but only {len(numbers)} of these numbers are there"
        )
    return len(numbers)


def rename(source: str, target: str, names: Mapping[str, str]) -> Iterator[Rule]:
    """Yield a rule for each name of a module's members, moved from `source` to `target`."""
    for old, new in names.items():
        yield Rule(f"{source}.{old}" if source else old, f"{target}.{new}" if target else new)
