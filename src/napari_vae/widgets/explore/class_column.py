"""One column of classes in the features of a layer, and the colours that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...analysis.classes import Classes
from ...analysis.coloring import is_categorical
from ...core.class_colors import MOST_LABELS
from ...core.errors import InputError
from ...layers.identity import note, ours
from ...layers.showing import PALETTES, Look, show, write_features
from ...layers.table import AXES

BEST = ("classes", "class_name", "class")  # names by which a column of classes is known
FREE = ("class_name", "classes")  # for classes that were a run's until the user changed them


@dataclass(frozen=True, eq=False)
class ColumnState:
    """What a change of a column of classes changes, to be put back."""

    name: str
    values: pd.Series | None  # None where there was no such column
    palettes: dict[str, dict[str, str]]
    look: Look | None  # of points


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
        self._is_points = layer.__class__.__name__ == "Points"

    @staticmethod
    def names_in(layer: Any) -> list[str]:
        """Columns of words in a layer that may be classes; the best first, the user's before those of a run."""
        found = [str(name) for name, column in layer.features.items() if is_categorical(column)]
        found = [name for name in found if layer.features[name].nunique() <= MOST_LABELS]
        results = _results(layer)

        def place(name: str) -> tuple[bool, bool, int]:
            return name not in BEST, name in results, BEST.index(name) if name in BEST else 0

        return sorted(found, key=place)

    def editable(self) -> ClassColumn:
        """Itself; or, as what a run wrote stays, a column of its own for the user's classes."""
        if self.name not in _results(self.layer):
            return self
        free = (name for name in (*FREE, f"{self.name}_edited") if name not in self.layer.features)
        return ClassColumn(self.layer, next(free, FREE[-1]))

    def read(self) -> Classes | None:
        """The classes in the column; None if it is not there.

        Raises
        ------
        InputError
            If it holds something else, or positions go by its name.
        """
        if self._is_points and self.name in AXES:
            raise InputError(f"“{self.name}” is a position; choose another name for the column of classes.")
        if self.name not in self.layer.features:
            return None
        return Classes.of(self.layer.features[self.name], dict(self._palettes().get(self.name, {})))

    def state(self) -> ColumnState:
        """How it is now."""
        look = Look.of(self.layer) if self._is_points else None
        return ColumnState(self.name, self.layer.features.get(self.name), self._palettes(), look)

    def write(self, classes: Classes) -> None:
        """Put classes into the column."""
        features = self.layer.features.copy()
        features[self.name] = classes.column(self.name).array
        note(self.layer, **{PALETTES: self._palettes() | {self.name: classes.palette}})
        if self._is_points:
            write_features(self.layer, features, self.name)
        else:
            self.layer.features = features
            show(self.layer, self.name)

    def restore(self, state: ColumnState) -> None:
        """Put the column back as it was, or take it away, and the colours of the points."""
        layer, features = self.layer, self.layer.features.copy()
        note(layer, **{PALETTES: state.palettes})
        if state.values is None:
            features = features.drop(columns=self.name, errors="ignore")
        else:
            features[self.name] = state.values.array
        if state.look is None:
            layer.features = features
        else:
            write_features(layer, features, look=state.look)

    def _palettes(self) -> dict[str, dict[str, str]]:
        return dict(ours(self.layer).get(PALETTES, {}))


def _results(layer: Any) -> tuple[str, ...]:
    """Columns that a run wrote, and that the next one replaces."""
    return tuple(ours(layer).get("columns", ()))
