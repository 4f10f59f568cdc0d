"""How to look for atoms: the controls of “Detect atoms” and what they ask for."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from ...atoms.recipe import Options
from ...core.errors import InputError
from ...core.fields import AUTOMATIC, settings_of
from ...layers.identity import token_of
from ...layers.images import micrograph_from_layer
from ...layers.points import placement_of
from ..common.drawn_region import ALL, REGION, WhereBox
from ..common.layer_box import ImageBox
from ..common.panel import Form, choice_of, side_by_side
from ..common.pixel_size_box import TOOLTIP as PIXEL_SIZE_TOOLTIP
from ..common.pixel_size_box import FileSizeButton, PixelSizeBox
from ..common.setting_controls import add_settings, remember
from .spacing_box import SpacingBox
from .steps import Candidates, DetectionRequest
from .threshold_box import ThresholdBox

SUBLATTICES = {1: "do not tell apart", "auto": AUTOMATIC, 2: "2", 3: "3", 4: "4"}
UNIT = "It is in the unit of the layer (px where it has none)."
MARK = "mark atoms in view"
TOOLTIPS = {
    "Preview": "Mark the atoms on the frame in view while you move the threshold, with their number. Untick it when "
    "the marks are in the way.",
    "Search in": "Where to look, and which atoms a second detection brings up to date. Choose the drawn region to "
    "leave out vacuum or support: draw a rectangle, ellipse or polygon in a Shapes layer. Of a movie, the frame in "
    "view is enough to try settings.",
    "Tracks": "Give each atom one number through all frames, the drift of the sample taken out, and show where it "
    "goes. Tick it when atoms move.",
    "Sublattices": "Sort the atoms by their surroundings into so many kinds of sites, such as the A and B sites of a "
    "perovskite. Automatic finds the number; leave it where all sites are alike.",
}


class DetectForm(Form):
    """The form of the detection.

    ``changed`` and, while the user draws, ``redrawn`` say that other candidates are asked for.
    """

    changed = Signal()
    redrawn = Signal()
    threshold_changed = Signal()

    def __init__(self, viewer: Any, image: ImageBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self.image = viewer, image
        self.pixel_size, self.pixel_height = PixelSizeBox(viewer), PixelSizeBox(viewer, axis=0)
        self.size_of_file = FileSizeButton(viewer)
        self.spacing = SpacingBox()
        self.estimate = QPushButton("Estimate")
        self.threshold = ThresholdBox()
        self.preview = QCheckBox(MARK)
        self.preview.setChecked(True)
        self.refine = QCheckBox("fit a peak to every atom")
        self.refine.setChecked(True)
        self.weak = QCheckBox("look for weak ones between them")
        self.follow = QCheckBox("follow atoms through the frames")
        self.where = WhereBox(viewer)
        self.sublattices = choice_of(SUBLATTICES)
        self._candidates: Candidates | None = None
        self._lay_out()
        self._connect()
        kept = {"method": self.method, "polarity": self.polarity, "preview": self.preview, "refine": self.refine}
        kept |= {"weak": self.weak, "where": self.where, "follow": self.follow, "sublattices": self.sublattices}
        remember("detection", kept)
        if self.where.currentData() == REGION:  # nothing is drawn yet
            self.where.setCurrentIndex(0)
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
        micrograph, placement = micrograph_from_layer(layer), placement_of(layer, self._viewer)
        frame = self.frame_in_view()
        everywhere = placement.ndim == 2 or self.where.currentData() == ALL
        return DetectionRequest(
            image=token_of(self._viewer.layers, layer),
            micrograph=micrograph,
            placement=placement,
            method=self._method(),
            polarity=self.polarity.currentData(),
            spacing=self.spacing.pixels(),
            threshold=self.threshold.score() if self.threshold.by_hand else None,
            refine=self.refine.isChecked(),
            weak=self.weak.isChecked() and self.refine.isChecked(),
            frame=None if everywhere else frame,
            region=self.where.region(placement, micrograph.shape[-2:], frame),
            sublattices=self.sublattices.currentData(),
            follow=self.follow.isChecked() and placement.ndim == 3 and everywhere,
        )

    def frame_in_view(self) -> int:
        """Index of the frame that the viewer shows; 0 for a single image."""
        layer = self.image.layer()
        return 0 if layer is None else min(placement_of(layer, self._viewer).frame, int(layer.data.shape[0]) - 1)

    def show_candidates(self, candidates: Candidates) -> None:
        """Say what was found: the contrast, the spacing and the range of the threshold."""
        self._candidates = candidates
        if self.polarity.currentData() == "auto":
            self.polarity.setItemText(0, f"{AUTOMATIC}: {candidates.polarity}")
        if self.method.currentData() == "auto":
            self.method.setItemText(0, f"{AUTOMATIC}: {candidates.method}")
        self.spacing.show_estimate(candidates.spacing)
        self.threshold.show_scores(candidates.atoms["score"], candidates.threshold)

    def show_count(self, n: int | str | None) -> None:
        """Say how many atoms the threshold leaves on the frame in view, or that this is not known yet."""
        self.preview.setText(MARK if n is None else f"{MARK}: {n}")

    def _method(self) -> str:
        """The method asked for; a threshold set by hand is meant for the scores that were shown."""
        if self.threshold.by_hand and self._candidates is not None:
            return self._candidates.method
        return str(self.method.currentData())

    def _lay_out(self) -> None:
        sizes = QHBoxLayout()
        sizes.addWidget(self.pixel_size, 1)
        sizes.addWidget(self.pixel_height, 1)
        self.add("Pixel size", side_by_side(sizes), PIXEL_SIZE_TOOLTIP)
        self.add_wide(self.size_of_file)
        self.polarity, self.method = add_settings(self, Options, "polarity", "method").values()
        spacing = QHBoxLayout()
        spacing.addWidget(self.spacing, 1)
        spacing.addWidget(self.estimate)
        self.estimate.setToolTip("Forget the spacing that was typed in, and estimate it from the image again")
        asked = settings_of(Options)
        self.add(asked["spacing"].title, side_by_side(spacing), f"{asked['spacing'].text} {UNIT}")
        self.add(asked["threshold"].title, self.threshold, asked["threshold"].text)
        self.add("Preview", self.preview, TOOLTIPS["Preview"])
        self.add(asked["refine"].title, self.refine, asked["refine"].text)
        self.add(asked["weak"].title, self.weak, asked["weak"].text)
        self.add("Search in", self.where, TOOLTIPS["Search in"])
        self.add("Tracks", self.follow, TOOLTIPS["Tracks"])
        self.add("Sublattices", self.sublattices, TOOLTIPS["Sublattices"])

    def _connect(self) -> None:
        self.image.layer_changed.connect(self._on_image_changed)
        self.polarity.currentIndexChanged.connect(self._on_kind_changed)
        self.method.currentIndexChanged.connect(self._on_kind_changed)
        self.pixel_size.calibrated.connect(self._offer_size_of_file)
        self.spacing.chosen.connect(self.changed)
        self.estimate.clicked.connect(self._on_estimate_clicked)
        self.threshold.changed.connect(self.threshold_changed)
        self.refine.toggled.connect(self.weak.setEnabled)
        self.where.changed.connect(self.changed)
        self.where.redrawn.connect(self.redrawn)

    def _on_image_changed(self) -> None:
        layer = self.image.layer()
        self.spacing.follow(layer)
        self.pixel_size.follow(layer)
        self.pixel_height.follow(layer)
        movie = layer is not None and placement_of(layer).ndim == 3
        self.where.offer(frames=movie)
        self.set_row_visible(self.follow, movie)
        self._forget()

    def _offer_size_of_file(self) -> None:
        self.set_row_visible(self.size_of_file, self.size_of_file.follow(self.image.layer()))

    def _on_kind_changed(self, index: int) -> None:
        self._forget()

    def _forget(self) -> None:
        """Start over: nothing is known about the atoms of this image."""
        self._candidates = None
        self.polarity.setItemText(0, AUTOMATIC)
        self.method.setItemText(0, AUTOMATIC)
        self.threshold.forget()
        self.show_count(None)
        self.changed.emit()

    def _on_estimate_clicked(self) -> None:
        self.spacing.forget()
        self.changed.emit()
