"""Labels by point and click: name the selected atoms, and find those that are best labelled next."""

from __future__ import annotations

from typing import Any

import pandas as pd
from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit, QWidget

from ...analysis.labelling import BLANK, is_text, label_next
from ...core.class_colors import class_name
from ...core.errors import InputError
from ...core.placement import Placement
from ...layers.showing import write_features
from ..common.canvas import go_to
from ..common.layer_box import LABEL
from ..common.panel import button_of, row_of, stacked
from .given_form import GivenForm

NEXT = 10


class LabelBox(QWidget):
    """A name and two buttons, for the points that a `GivenForm` follows."""

    said = Signal(str)

    def __init__(self, viewer: Any, given: GivenForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._given = viewer, given
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of a class")
        self.name.setToolTip("What the selected atoms are, such as “defect”; empty takes a label away")
        self.label_button = button_of(
            "Label selected",
            "Write this name into the column of labels for the atoms that are selected on the canvas. "
            "A column “label” is made where none is chosen.",
        )
        self.next_button = button_of(
            "Label this one next",
            f"Select the {NEXT} atoms without a label whose class the trained model is least sure of, and go to the "
            "first. Click on one of them to name it alone.",
        )
        stacked(self, row_of(self.name, self.label_button, wide=self.name), self.next_button)
        self.label_button.clicked.connect(self._on_label_clicked)
        self.name.returnPressed.connect(self._on_label_clicked)
        self.next_button.clicked.connect(self._on_next_clicked)

    def label_selected(self) -> None:
        """Give the selected points the name in the field.

        Raises
        ------
        InputError
            If no point is selected, or the column is not one of words.
        """
        points = self._points()
        selected = sorted(points.selected_data)
        if not selected:
            raise InputError("No atom is selected; select some on the canvas with the tools of the Points layer first.")
        word, column = class_name(self.name.text()), self._column(points)
        features = points.features.copy()
        words = features[column] if column in features else pd.Series(BLANK, index=features.index)
        words = words.astype(object).where(words.notna(), BLANK).to_numpy(dtype=object, copy=True)
        words[selected] = word
        features[column] = [class_name(word) for word in words]
        write_features(points, features, column)
        self._given.labels.choose(column)
        self.said.emit(
            f"{len(selected)} atom{'s' if len(selected) > 1 else ''} "
            + (f"labelled “{word}”" if word else "without a label again")
            + f" in the column “{column}”."
        )

    def choose_next(self) -> None:
        """Select the points whose labels would teach most, and go to the first of them.

        Raises
        ------
        InputError
            If no model with classes has described the points.
        """
        points = self._points()
        rows = label_next(points.features.reset_index(drop=True), self._given.known(), NEXT).to_numpy()
        if not len(rows):
            raise InputError("Every atom that the model has seen is labelled.")
        self._viewer.layers.selection = [points]
        points.mode = "select"
        points.selected_data = set(rows.tolist())
        go_to(self._viewer, Placement.of_layer(points), points.data[rows[0]])
        self.said.emit(
            f"The {len(rows)} atoms that the model is least sure of are selected, the first in the middle. "
            "Click on one to name it alone."
        )

    def _points(self) -> Any:
        if self._given.points is None:
            raise InputError("A regular grid has no atoms to label; choose a Points layer as Atoms.")
        return self._given.points

    def _column(self, points: Any) -> str:
        """Where names are written: the chosen column, if it is one of words."""
        chosen = self._given.labels.chosen()
        if isinstance(chosen, str) and chosen in points.features and is_text(points.features[chosen]):
            return chosen
        if LABEL in points.features and not is_text(points.features[LABEL]):
            raise InputError("The column “label” holds numbers; choose a column of words for the names (Labels from).")
        return LABEL

    def _on_label_clicked(self) -> None:
        self._try(self.label_selected)

    def _on_next_clicked(self) -> None:
        self._try(self.choose_next)

    def _try(self, action: Any) -> None:
        try:
            action()
        except InputError as error:
            self.said.emit(str(error))
            show_error(str(error))
