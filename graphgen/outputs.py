"""What a run gives: its outputs by name, as values made when they are asked for, and the files it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphgen.cache import StoredValue
from graphgen.errors import one_of


class Outputs(Mapping[str, object]):
    """A run's outputs by name; a value is made when it is asked for, each time anew. `files` are the paths written."""

    def __init__(self, stored: Mapping[str, StoredValue], files: Sequence[str] = ()) -> None:
        self.stored = stored
        self.files = tuple(files)

    def __getitem__(self, name: str) -> object:
        """Return an output's value, for the caller alone."""
        return self.stored[name].load()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the outputs' names."""
        return iter(self.stored)

    def __len__(self) -> int:
        """Count the outputs."""
        return len(self.stored)

    def __repr__(self) -> str:
        """Say what each output is, without making its value: `Outputs(picture: image 1x3x64x64 float32)`."""
        values = ", ".join(f"{name}: {value.summary()}" for name, value in self.stored.items())
        files = f"files: {one_of(self.files, most=4)}" if self.files else ""
        return f"Outputs({'; '.join(part for part in (values, files) if part)})"
