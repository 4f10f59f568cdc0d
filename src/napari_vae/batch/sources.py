"""The files of one training, and what came of each so far; of several processes each detects some, for all of them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core.errors import exit_code, sentence
from ..patches.patches import Patches
from ..training.processes import Group
from .outcomes import StoppedError


@dataclass
class Source:
    """A file, and what came of it so far.

    Attributes
    ----------
    problem : (str, int) or None
        Why it is left out, in a sentence, and the exit code of that.
    stamp : list
        What `stamp_of` said of the file when it was begun.
    """

    path: Path
    pixel_size: tuple[float, float] | None = None
    units: str = "px"
    atoms: pd.DataFrame | None = None
    patches: Patches | None = None
    problem: tuple[str, int] | None = None
    stamp: list[Any] = field(default_factory=list)

    def attempt(self, step: Callable[[Source], None]) -> None:
        """Take a step unless one failed; a failure is kept."""
        if self.problem is None:
            try:
                step(self)
            except StoppedError:
                raise
            except Exception as error:
                if os.environ.get("NAPARI_VAE_DEBUG"):
                    raise
                self.problem, self.patches = (sentence(error), exit_code(error)), None

    def atoms_as_bytes(self) -> bytes:
        """The problem, or the atoms and their attributes, for another process."""
        if self.problem is not None or self.atoms is None:
            return json.dumps({"problem": self.problem}).encode()
        sent = io.BytesIO()
        sent.write(json.dumps({"attributes": self.atoms.attrs}, default=_as_json).encode() + b"\n")
        np.save(sent, self.atoms.rename_axis("atom").to_records(), allow_pickle=False)
        return sent.getvalue()

    def take_atoms(self, content: bytes) -> None:
        """Know what another process found in the file."""
        received = io.BytesIO(content)
        known = json.loads(received.readline())
        if "problem" in known:
            self.problem = None if known["problem"] is None else (known["problem"][0], known["problem"][1])
            return
        rows = np.load(received, allow_pickle=False)
        self.atoms = pd.DataFrame.from_records(rows, index="atom").rename_axis(None)
        self.atoms.attrs = known["attributes"]


def share_out(sources: Sequence[Source], detect: Callable[[Source], None], group: Group | None) -> None:
    """Detect the atoms of every file; of several processes each those of some, and all know them then."""
    rank, size = (0, 1) if group is None else (group.rank, group.size)
    for source in sources[rank::size]:
        source.attempt(detect)
    if group is None or size == 1:
        return
    mine = [source.atoms_as_bytes() if number % size == rank else b"" for number, source in enumerate(sources)]
    for number, content in enumerate(group.collect(mine)):
        if number % size != rank:
            sources[number].take_atoms(content)


def _as_json(value: Any) -> Any:
    return value.tolist()
