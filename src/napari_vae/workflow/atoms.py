"""The atoms of an image, the first step of every path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from ..atoms import iter_detect_atoms, iter_link_atoms
from ..core.micrograph import Micrograph, first_channel
from ..core.progress import Stage, drain


def find_atoms(
    image: Micrograph, options: dict[str, Any], say: Callable[[Stage], None], follow: bool = False
) -> pd.DataFrame:
    """Detect atoms, of channels on the first one, and follow them if asked, saying how far it is."""
    say(Stage("detect atoms"))
    atoms = drain(
        iter_detect_atoms(first_channel(image), **options), lambda done: say(Stage("detect atoms", done[0] / done[1]))
    )
    say(Stage("detect atoms", 1.0, f"{len(atoms)} atoms"))
    if follow:
        linking = iter_link_atoms(atoms, image=first_channel(image))
        atoms = drain(linking, lambda done: say(Stage("follow atoms", done[0] / done[1])))
        say(Stage("follow atoms", 1.0, f"{atoms['track'].nunique()} tracks"))
    return atoms
