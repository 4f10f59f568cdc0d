"""How to look for atoms: the controls of “Detect atoms” and what they ask for."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QHBoxLayout, QPushButton, QSlider, QWidget

from ..errors import InputError
from ..layers import micrograph_from_layer, placement_of
from .data_form import is_source_image
from .detect_steps import Candidates, DetectionRequest
from .layer_box import LayerBox
from .memory import remember
from .panel import Form, side_by_side

AUTOMATIC = "automatic"
CONTRASTS = {"bright": "bright on dark", "dark": "dark on bright"}
METHODS = {"matched filter": "filter", "learned": "learned"}
FRAMES = {"all frames": "all", "the frame in view": "in view"}
SUBLATTICES = {"do not tell apart": 1, "automatic": "auto", "2": 2, "3": 3, "4": 4}
MARK = "mark atoms in view"
STEPS = 1000  # of the threshold slider; it moves with the root of the score, since weak atoms need the finer steps


class DetectForm(Form):
    """The form of the detection; ``changed`` says that other candidates are asked for, ``threshold_changed`` not."""

    changed = Signal()
    threshold_changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.image = LayerBox(viewer, is_source_image)
        self.polarity = _choices({AUTOMATIC: "auto"} | {words: name for name, words in CONTRASTS.items()})
        self.method = _choices({AUTOMATIC: "auto"} | METHODS)
        self.spacing = QDoubleSpinBox()
        self.spacing.setDecimals(3)
        self.spacing.setRange(0, 1e6)
        self.spacing.setSpecialValueText("automatic")
        self.spacing.setKeyboardTracking(False)
        self.estimate = QPushButton("Estimate")
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setRange(0, STEPS)
        self.automatic = QPushButton("Automatic")
        self.preview = QCheckBox(MARK)
        self.preview.setChecked(True)
        self.refine = QCheckBox("fit a peak to every atom")
        self.refine.setChecked(True)
        self.frames = _choices(FRAMES)
        self.follow = QCheckBox("follow atoms through the frames")
        self.sublattices = _choices(SUBLATTICES)
        self._spacing_by_hand = self._threshold_by_hand = False
        self._candidates: Candidates | None = None
        self._lay_out()
        self._connect()
        kept = {"method": self.method, "polarity": self.polarity, "preview": self.preview, "refine": self.refine}
        kept |= {"frames": self.frames, "follow": self.follow, "sublattices": self.sublattices}
        remember("detection", kept)
        self._on_image_changed()

    def request(self) -> DetectionRequest:
        """What is asked for now.

        Raises
        ------
        InputError
            If there is no image that can be searched.
        """
        layer = self.image.layer()
        if layer is None:
            raise InputError("There is no image; open one, or a sample from File → Open Sample.")
        one_frame = self.frames.currentData() == "in view" and layer.ndim == 3
        return DetectionRequest(
            micrograph=micrograph_from_layer(layer),
            placement=placement_of(layer),
            method=self._method(),
            polarity=self.polarity.currentData(),
            spacing=self.spacing.value() / self._pixel(layer) if self._spacing_by_hand else None,
            threshold=self.score() if self._threshold_by_hand else None,
            refine=self.refine.isChecked(),
            frame=self.frame_in_view() if one_frame else None,
            sublattices=self.sublattices.currentData(),
            follow=self.follow.isChecked() and placement_of(layer).ndim == 3 and not one_frame,
        )

    def frame_in_view(self) -> int:
        """Index of the frame that the viewer shows; 0 for a single image."""
        layer = self.image.layer()
        if layer is None or placement_of(layer).ndim == 2:
            return 0
        index = round(float(layer.world_to_data(self._viewer.dims.point)[0]))
        return min(max(index, 0), int(layer.data.shape[0]) - 1)

    def show_candidates(self, candidates: Candidates) -> None:
        """Say what was found: the contrast, the spacing and the range of the threshold."""
        self._candidates = candidates
        if self.polarity.currentData() == "auto":
            self.polarity.setItemText(0, f"{AUTOMATIC}: {candidates.polarity}")
        if self.method.currentData() == "auto":
            words = next(words for words, name in METHODS.items() if name == candidates.method)
            self.method.setItemText(0, f"{AUTOMATIC}: {words}")
        if not self._spacing_by_hand:
            with QSignalBlocker(self.spacing):
                self.spacing.setValue(candidates.spacing * self._pixel(self.image.layer()))
        if not self._threshold_by_hand:
            with QSignalBlocker(self.threshold):
                self.threshold.setValue(self._slider_of(candidates.threshold))
        self.threshold.setEnabled(True)

    def score(self) -> float:
        """Threshold on the score that the slider stands at."""
        low, high = self._score_range()
        return low + (high - low) * (self.threshold.value() / STEPS) ** 2

    def show_count(self, n: int | None) -> None:
        """Say how many atoms the threshold leaves on the frame in view."""
        self.preview.setText(MARK if n is None else f"{MARK}: {n}")

    def _method(self) -> str:
        """The method asked for; a threshold set by hand is meant for the scores that were shown."""
        if self._threshold_by_hand and self._candidates is not None:
            return self._candidates.method
        return str(self.method.currentData())

    def _score_range(self) -> tuple[float, float]:
        if self._candidates is None or not len(self._candidates.atoms):
            return 0.0, 1.0
        scores = self._candidates.atoms["score"]
        return float(scores.min()), float(scores.max())

    def _slider_of(self, score: float) -> int:
        low, high = self._score_range()
        share = (score - low) / (high - low) if high > low else 0.0
        return round(STEPS * min(max(share, 0.0), 1.0) ** 0.5)

    def _lay_out(self) -> None:
        self.add("Image", self.image, "The image layer to search. Of several channels, the first.")
        self.add(
            "Contrast", self.polarity, "Whether atoms are brighter than what lies between them, as in HAADF, or darker."
        )
        self.add(
            "Method",
            self.method,
            "Automatic is the matched filter. The learned detector, trained on simulated images, may find more at low "
            "dose; on the real images tried so far it found less.",
        )
        spacing, threshold = QHBoxLayout(), QHBoxLayout()
        spacing.addWidget(self.spacing, 1)
        spacing.addWidget(self.estimate)
        self.estimate.setToolTip("Estimate the spacing from the image again")
        self.add("Spacing", side_by_side(spacing), "Distance between neighbouring atoms, in the unit of the layer.")
        threshold.addWidget(self.threshold, 1)
        threshold.addWidget(self.automatic)
        self.automatic.setToolTip("Let the threshold be chosen from the image")
        self.add(
            "Threshold", side_by_side(threshold), "How clearly an atom must stand out: further right finds fewer atoms."
        )
        self.add("Preview", self.preview, "Mark the atoms on the frame in view while you move the threshold.")
        self.add(
            "Refine", self.refine, "Fit a two-dimensional Gaussian to every atom: positions to a fraction of a pixel."
        )
        self.add("Frames", self.frames, "Search the whole movie, or only the frame that is shown.")
        self.add(
            "Tracks",
            self.follow,
            "Give each atom one number through all frames, the drift of the sample taken out, and show where it goes.",
        )
        self.add(
            "Sublattices", self.sublattices, "Sort the atoms by their surroundings, as A and B sites of a perovskite."
        )

    def _connect(self) -> None:
        self.image.layer_changed.connect(self._on_image_changed)
        self.polarity.currentIndexChanged.connect(self._on_kind_changed)
        self.method.currentIndexChanged.connect(self._on_kind_changed)
        self.spacing.valueChanged.connect(self._on_spacing_changed)
        self.estimate.clicked.connect(self._on_estimate_clicked)
        self.threshold.valueChanged.connect(self._on_threshold_moved)
        self.automatic.clicked.connect(self._on_automatic_clicked)

    def _on_image_changed(self) -> None:
        layer = self.image.layer()
        self.spacing.setSuffix("" if layer is None else f" {_unit(layer)}")
        for control in (self.frames, self.follow):
            self.set_row_visible(control, layer is not None and placement_of(layer).ndim == 3)
        self._forget()

    def _on_kind_changed(self, index: int) -> None:
        self._forget()

    def _forget(self) -> None:
        """Start over: nothing is known about this image."""
        self._spacing_by_hand = self._threshold_by_hand = False
        self._candidates = None
        self.polarity.setItemText(0, AUTOMATIC)
        self.method.setItemText(0, AUTOMATIC)
        with QSignalBlocker(self.spacing):
            self.spacing.setValue(0)
        self.threshold.setEnabled(False)
        self.show_count(None)
        self.changed.emit()

    def _on_spacing_changed(self, value: float) -> None:
        self._spacing_by_hand = value > 0
        self.changed.emit()

    def _on_estimate_clicked(self) -> None:
        self._spacing_by_hand = False
        self.changed.emit()

    def _on_threshold_moved(self, value: int) -> None:
        self._threshold_by_hand = True
        self.threshold_changed.emit()

    def _on_automatic_clicked(self) -> None:
        self._threshold_by_hand = False
        if self._candidates is not None:
            self.show_candidates(self._candidates)
        self.threshold_changed.emit()

    def _pixel(self, layer: Any) -> float:
        return abs(float(layer.scale[-1])) if layer is not None else 1.0


def _choices(entries: dict[str, Any]) -> QComboBox:
    box = QComboBox()
    for label, value in entries.items():
        box.addItem(label, value)
    return box


def _unit(layer: Any) -> str:
    return "px" if str(layer.units[-1]) == "pixel" else f"{layer.units[-1]:~}"
