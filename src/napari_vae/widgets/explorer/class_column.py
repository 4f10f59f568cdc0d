"""One column of classes in the features of a layer, and the colours that go with it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ...analysis.classes import Classes
from ...analysis.coloring import is_categorical
from ...layer_table import numeric_columns
from ...layers import KEY, MOST_LABELS, latent_style
from ..label_box import show_classes


class ClassColumn:
    """Reads and writes classes; a Points layer is coloured by what was written.

    Parameters
    ----------
    layer : Points or Labels layer
    name : str
        Of the column, there or not.
    """

    def __init__(self, layer: Any, name: str) -> None:
        self.layer, self.name = layer, name

    @staticmethod
    def names_in(layer: Any) -> list[str]:
        """Columns of words in a layer that may be classes; the best first."""
        found = [str(name) for name, column in layer.features.items() if is_categorical(column)]
        found = [name for name in found if layer.features[name].nunique() <= MOST_LABELS]
        return sorted(found, key=lambda name: (name != "class_name", name != "class"))

    def read(self) -> Classes | None:
        """The classes in the column; None if it is not there.

        Raises
        ------
        InputError
            If it holds something else.
        """
        if self.name not in self.layer.features:
            return None
        return Classes.of(self.layer.features[self.name], self.palette())

    def before(self) -> Classes | None:
        """What to go back to: the classes, or None where the column is new or holds something else."""
        column = self.layer.features.get(self.name)
        return None if column is None or not is_categorical(column) else self.read()

    def palette(self) -> dict[str, str]:
        """Colours by name that were chosen before."""
        return dict(self.layer.metadata.get(KEY, {}).get("palette", {}).get(self.name, {}))

    def write(self, classes: Classes | None) -> None:
        """Put classes into the column, or take the column away."""
        layer, features = self.layer, self.layer.features.copy()
        if classes is None:
            self._take_away(features.drop(columns=self.name, errors="ignore"))
            return
        ours = dict(layer.metadata.get(KEY, {}))
        ours["palette"] = ours.get("palette", {}) | {self.name: classes.palette}
        layer.metadata = {**layer.metadata, KEY: ours}
        features[self.name] = classes.column(self.name).to_numpy()
        features[self.name] = pd.Categorical(features[self.name], categories=["", *classes.names])
        if layer.__class__.__name__ == "Points":
            show_classes(layer, features, self.name, classes.palette)
        else:
            layer.features = features

    def _take_away(self, features: pd.DataFrame) -> None:
        """Set features without the column; points are coloured by their first numbers instead."""
        numbers = numeric_columns(features)
        if self.layer.__class__.__name__ == "Points" and numbers:
            for key, value in latent_style(self.layer.features, numbers[0]).items():
                setattr(self.layer, key, value)  # before the column goes that napari colours by
        self.layer.features = features
