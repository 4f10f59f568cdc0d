"""What a model is given of the atoms: a column to be conditional on, or labels from a column or a layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from qtpy.QtWidgets import QWidget

from ...analysis.labelling import class_under, condition_of, is_known, labels_of
from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.points import KEY, placement_of
from ...models.given import Given
from ...models.kinds import Kind
from ..common.data_form import Source
from ..common.layer_box import LABEL, ColumnBox, PointsForm
from ..common.panel import sentence

SHOWN = 4  # names of classes in the words below the row


class GivenForm(PointsForm):
    """Rows that the kind of the model asks for; the others are hidden.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.condition = ColumnBox("choose a column")
        self.labels = ColumnBox("label some atoms below")
        self.summary = sentence()
        self.add(
            "Condition on",
            self.condition,
            "Column of the points with a class or a number for every atom, such as thickness. Choose what you "
            "know already, and the latents leave it out.",
        )
        self.add(
            "Labels from",
            self.labels,
            "Where the known atoms are: a column with the class of some (words or whole numbers, blank "
            "where not known), or with numbers to predict (NaN where not known); or a Labels layer, when you "
            "painted over some atoms. Label a few below if you have neither.",
        )
        self.add_wide(self.summary)
        self.labels.currentIndexChanged.connect(self._tell)
        self.outdated.connect(self._refresh)
        self.show_for(set())

    def show_for(self, given: set[str]) -> None:
        """Show the rows for what is given to models, of ``labels``, ``condition`` and ``targets``."""
        self.set_row_visible(self.condition, "condition" in given)
        self.set_row_visible(self.labels, "labels" in given)
        self.set_row_visible(self.summary, "labels" in given)
        self.setVisible(bool(given))
        self._tell()

    def read(self, kind: Kind, source: Source) -> Source:
        """A source with what a model of this kind is given of its atoms.

        Raises
        ------
        InputError
            If nothing is chosen, the column is gone, there are no labels, or a condition is not complete.
        """
        if kind.conditional:
            name = self.condition.chosen()
            if name is None:
                raise InputError("Choose the column of the points that the model is conditional on (Condition on).")
            return replace(source, given=Given(condition=condition_of(self._column(name))), column=name)
        if not kind.given:
            return source
        chosen = self.labels.chosen()
        values = labels_of(self._labels(source.atoms[["frame", "y", "x"]].to_numpy(float), source.placement))
        role = "targets" if values.dtype.kind == "f" else "labels"
        return replace(source, given=Given(**{role: values}), column=chosen if isinstance(chosen, str) else "")

    def known(self) -> Any | None:
        """Labels of all points as they are chosen, or ``None`` when none are."""
        if self.points is None or self.labels.chosen() is None:
            return None
        return self._labels(np.asarray(self.points.data, float), placement_of(self.points, self._viewer))

    def _refresh(self) -> None:
        """Offer the columns and layers that there are now."""
        columns = [] if self.points is None else [str(name) for name in self.points.features]
        results = () if self.points is None else self.points.metadata.get(KEY, {}).get("columns", ())
        self.condition.offer(columns, [])
        painted = [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Labels)]
        self.labels.offer([name for name in columns if name not in results], painted, first=LABEL)
        self._tell()

    def _labels(self, positions: npt.NDArray[np.float64], placement: Placement) -> Any:
        chosen = self.labels.chosen()
        if chosen is None:
            raise InputError("There are no labels yet; label a few atoms of each class, or choose a column or a layer.")
        if isinstance(chosen, str):
            return self._column(chosen)
        image = np.asarray(chosen.data[0] if chosen.multiscale else chosen.data)
        return class_under(image, Placement.of_layer(chosen).points_from(positions, placement), chosen.name)

    def _column(self, name: str) -> Any:
        if self.points is None:
            raise InputError("A regular grid has no columns; choose a Points layer as Atoms.")
        if name not in self.points.features:
            raise InputError(f"“{self.points.name}” has no column “{name}” any more; choose another.")
        return self.points.features[name].reset_index(drop=True)

    def _tell(self, index: int = 0) -> None:
        """Say how the labels are understood, or what is the matter with them."""
        if not self.labels.isHidden():  # counting takes time where there are many atoms
            self.summary.setText(self._summary())

    def _summary(self) -> str:
        try:
            given = self.known()
            if given is None:
                return ""
            values = labels_of(given)
        except InputError as error:
            return str(error)
        known = is_known(values)
        counted = f"{known.sum()} of {len(values)} atoms"
        if values.dtype.kind == "f":
            return f"{counted} have a number; it is predicted for all."
        names, counts = np.unique(values[known], return_counts=True)
        words = ", ".join(f"{name} {count}" for name, count in list(zip(names, counts, strict=True))[:SHOWN])
        return f"{counted} labelled: {words}{', …' if len(names) > SHOWN else ''}"
