"""A process that runs random workflows in a folder that it shares with others: a line for each event, then JSON.

In: the folder, where nodes run (`thread` or `process`), and the seeds of the workflows. Out: the last line, the outputs
that each gave; what is blocked is left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

from engine_kit import engine
from lane_kit import installed, others
from random_flows import random_flow

from graphgen import NoValue
from graphgen.events import Event


def tell(event: Event) -> None:
    """Say at once that something happened."""
    print(type(event).__name__, flush=True)


def main(folder: Path, workers: str, seeds: Iterable[str]) -> None:
    """Run them."""
    found = {}
    with engine(folder, installed=installed(), disabled_plugins=others(), workers=workers) as machine:
        for seed in seeds:
            outputs = machine.run(random_flow(Random(int(seed))), listen=tell).outputs
            found[seed] = {name: value for name, value in outputs.items() if not isinstance(value, NoValue)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
