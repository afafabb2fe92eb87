"""Networks that steer a denoiser by a picture: how they are loaded, as any network, and how they are called.

Each stands beside the denoiser, is given what the denoiser is given, and a picture, and says what to add inside it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import Architecture, Shapes
from graphgen_nodes.checkpoints.parts import Config
from graphgen_nodes.sockets import Reads

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Hint:
    """What such a network is told besides what the denoiser is given, on its device and in its number format.

    `picture[rows, channels, height, width]` is in 0..1, or a latent where the network reads one. `mode` is the kind of
    picture for networks that know several. `guess` lets the coarse residuals weigh more than the fine ones.
    """

    picture: Tensor
    strength: float
    mode: int | None = None
    guess: bool = False


class ControlArchitecture(Architecture):
    """One kind of network that steers a denoiser."""

    modes: ClassVar[tuple[str, ...]] = ()
    """The kinds of pictures that a network of several is told of by number, in their order."""
    guesses: ClassVar[bool] = False
    """Whether `Hint.guess` means something to it."""
    unit: int = 1
    """Pixels that the sides of a picture must be a multiple of."""

    def known_modes(self, config: Config) -> tuple[str, ...]:
        """Return the kinds of pictures that a network is told of, by name or, beyond those with names, by number."""
        total = self.count_modes(config)
        return (*self.modes[:total], *(str(number) for number in range(len(self.modes), total)))

    def count_modes(self, config: Config) -> int:  # noqa: ARG002
        """Return how many kinds of pictures a network tells apart; 0 for one that knows a single kind."""
        return 0

    def masked(self, config: Config) -> bool:  # noqa: ARG002
        """Tell whether a network reads a mask beside the picture, as one channel more."""
        return False

    @abstractmethod
    def reads(self, config: Config) -> Reads:
        """Return whether a network reads pixels, or a picture that went through the autoencoder.

        Raises:
            CheckpointError: it wants more than one picture.
        """

    @abstractmethod
    def width(self, config: Config) -> int:
        """Return how many numbers for a token of the prompt a network wants; 0 where it reads none."""

    @abstractmethod
    def steer(
        self, network: nn.Module, denoiser: nn.Module, args: tuple[Any, ...], given: Mapping[str, Any], hint: Hint
    ) -> Mapping[str, Any]:
        """Ask a network what to add inside a denoiser, by the names of the denoiser's arguments for it.

        `args` and `given` are what the denoiser is called with.
        """


def check_channels(found: int, wanted: int) -> None:
    """Refuse a network whose picture has other channels than RGB or a latent has, such as a mask beside it.

    Raises:
        CheckpointError: says how many it wants.
    """
    if found != wanted:
        raise CheckpointError(
            f"reads {found} channels where a picture has {wanted}; a network that wants a second picture, or a mask in "
            "a way of its own, cannot be run yet: take another one"
        )


def picture_rules(shapes: Shapes, target: str) -> Iterator[Rule]:
    """Yield the rules of a picture's embedding, whose release has its convolutions at every other place of one row."""
    places = sorted({int(name.split(".")[1]) for name in shapes if name.startswith("input_hint_block.")})
    for index, place in enumerate(places):
        inner = "conv_in" if index == 0 else "conv_out" if place == places[-1] else f"blocks.{index - 1}"
        yield Rule(f"input_hint_block.{place}", f"{target}.{inner}")


def whole(config: Config, name: str, usual: int = 0) -> int:
    """Return a whole number from a configuration, or what its library takes where it says nothing."""
    value = config.get(name, usual)
    return value if isinstance(value, int) else 0
