"""The section “Crystal”: lattice, vacancies, displacements with strain, and intensities of the atoms of a layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QWidget

from ...core.errors import InputError
from ...core.micrograph import first_channel
from ...core.placement import Placement
from ...layers.active import active_of, is_atoms
from ...layers.crystal import ARROWS, add_columns, crystal_layers, is_untouched, measured_kinds
from ...layers.identity import CHOSEN, IMAGE, POINTS, add_made, claim, id_of, made_of, note, ours, token_of
from ...layers.images import micrograph_from_layer
from ...layers.points import KEY, atoms_from_points, placement_now, placement_of
from ...layers.showing import write_features
from ..common.jobs import Job
from ..common.layer_box import AtomsBox
from ..common.panel import Form, choice_of, sentence, side_by_side, stacked
from ..common.progress_box import ProgressBox, refusing
from ..common.setting_controls import remember
from ..common.show_bar import ShowBar
from ..common.sources import say_frame, source_image
from .steps import CrystalRequest, crystal_steps

if TYPE_CHECKING:
    from ...crystal.description import Crystal

MEASURE = "Write columns into the points and add layers of arrows and vacancies"
CHANGED = "The points were changed or deleted meanwhile; measure again."
REFERENCES = {"mean": "mean of the image", "selected": "the selected points"}


class CrystalBox(QWidget):
    """Measures the atoms of a Points layer, writes columns into it and adds layers beside it.

    Parameters
    ----------
    viewer : napari viewer
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._active = viewer, active_of(viewer)
        self._points: Any | None = None
        self._request: CrystalRequest | None = None
        self._on: Any = None  # the layer that the request is placed by
        self.atoms = AtomsBox(viewer, is_atoms)
        self.quantities = {
            "lattice": QCheckBox("lattice"),
            "vacancies": QCheckBox("vacancies"),
            "displacements": QCheckBox("displacements, strain"),
            "intensities": QCheckBox("intensities"),
        }
        self.reference = choice_of(REFERENCES)
        self.factor = QDoubleSpinBox()
        self.factor.setRange(0, 10_000)
        self.factor.setPrefix("× ")
        self.factor.setSpecialValueText("automatic")
        self.show_bar = ShowBar(viewer)
        self.job = Job(self)
        self.progress = ProgressBox("Measure", MEASURE, page="crystal", job=self.job)
        self.words = sentence()
        self.words.setToolTip("What was measured; select it to copy it")
        self._lay_out()
        self._connect()
        for check in self.quantities.values():
            check.setChecked(True)
        remember("crystal", self.quantities)
        self._follow()

    @refusing
    def measure(self) -> None:
        """Check the input, then start the job; bad input ends in a notification."""
        points = self.atoms.layer()
        known = points is not None and self._active.image_of(points) is not None
        image = self._active.image if known else None  # may be that of another detector
        request = self._asked(points, image)
        self._points, self._request, self._on = points, request, image or points
        self.words.hide()
        self.progress.begin("Measuring …")
        self.job.start(crystal_steps, request)

    def _asked(self, points: Any, image: Any) -> CrystalRequest:
        if points is None:
            raise InputError("There are no atoms to measure; press Detect first, or add points by hand.")
        quantities = tuple(name for name, check in self.quantities.items() if check.isChecked())
        if not quantities:
            raise InputError("Nothing is chosen to be measured; tick at least one box under Crystal.")
        if "intensities" in quantities:
            if self._active.image is None:
                raise InputError("Intensities are summed over an image, and none is open; open it, or untick them.")
            image = image or source_image(self._viewer, points)
        chosen = None
        if self.reference.currentData() == "selected" and "displacements" in quantities:
            chosen = tuple(sorted(points.selected_data))
            if not chosen:
                raise InputError("No point is selected; select those of an unstrained part on the canvas first.")
        placement = placement_of(points if image is None else image, self._viewer)
        say_frame(points, placement)
        return CrystalRequest(
            atoms=atoms_from_points(points, placement),
            placement=placement,
            image=None if image is None else first_channel(micrograph_from_layer(image)),
            quantities=quantities,
            unstrained=chosen,
        )

    def _lay_out(self) -> None:
        checks = QGridLayout()
        for number, (name, tooltip) in enumerate(TOOLTIPS.items()):
            self.quantities[name].setToolTip(tooltip)
            checks.addWidget(self.quantities[name], number // 2, number % 2)
        form = Form()
        form.add(
            "Atoms",
            self.atoms,
            "The Points layer to measure. Tell Sublattices apart in the detection first, and more is measured.",
        )
        form.add("Measure", side_by_side(checks), "What to measure; untick what you do not need.")
        form.add(
            "Unstrained",
            self.reference,
            "What strain is measured against. The mean of the image is usual; choose the selected points when "
            "a part of it, such as the substrate, is unstrained, and select that on the canvas.",
        )
        form.add(
            "Arrows",
            self.factor,
            "How many times as long as they are the displacements are drawn: a number. Raise it when the arrows "
            "are too short to be seen.",
        )
        stacked(self, form, self.progress, self.show_bar, self.words)
        self.words.hide()

    def _connect(self) -> None:
        self.atoms.layer_changed.connect(self._follow)
        self.factor.valueChanged.connect(self._on_factor_changed)
        self.progress.start_clicked.connect(self.measure)
        self.job.succeeded.connect(self._on_crystal)

    def _on_crystal(self, crystal: Crystal) -> None:
        points, request, on = self._points, self._request, self._on
        request = replace(request, placement=placement_now(request.placement, on, self._viewer))
        self._points = self._request = self._on = None
        if not _unchanged(self._viewer, points, request):
            self.progress.refuse(CHANGED)
            return
        write_columns(points, crystal)
        layers = crystal_layers(crystal, request.placement, source=points.name, factor=self.factor.value() or None)
        add_around(self._viewer, points, layers, measured_kinds(crystal), None if on == points else on)
        self.show_bar.refresh()
        self.words.setText(in_words(crystal, request.placement, layers))
        self.words.show()
        self.progress.say(
            "Measured. " + ("The columns are in the features of the points." if len(crystal.columns.columns) else "")
        )

    def _on_factor_changed(self, factor: float) -> None:
        """Draw the arrows that there are with another length."""
        points = self.atoms.layer()
        if points is None or not factor:
            return
        for layer in made_of(self._viewer.layers, ARROWS, points=id_of(points)):
            layer.length = factor
            note(layer, factor=factor)

    def _follow(self) -> None:
        self.show_bar.follow(self.atoms.layer())


TOOLTIPS = {
    "lattice": "Lattice vectors and the distance of neighbours, in the unit of the image, and the angle in °, with "
    "standard errors.",
    "vacancies": "List the sites where the neighbours on all sides expect an atom and there is none.",
    "displacements": "How far every atom is from the middle of its neighbours, in px, and how these are strained "
    "(a share: 0.01 "
    "is 1 %) and turned (°).",
    "intensities": "Sum the image over the area that is nearer to an atom than to any other (its Voronoi cell), in "
    "the unit "
    "of the image. It tells columns of unlike atomic number apart.",
}


def write_columns(points: Any, crystal: Crystal) -> None:
    """Columns that were measured before are replaced, those of the user kept."""
    claim(points)
    features, written = add_columns(points.features, crystal, tuple(ours(points).get("crystal_columns", ())))
    note(points, crystal_columns=written)
    write_features(points, features)


def add_around(viewer: Any, points: Any, layers: list[Any], replaced: set[str], image: Any = None) -> None:
    """Add arrows above the points and vacancies below, made from an image.

    They take the place of those `replaced` that nobody touched.
    """
    links = {POINTS: id_of(points)}
    for layer in made_of(viewer.layers, replaced, **links):
        if is_untouched(layer.data, layer.metadata):
            viewer.layers.remove(layer)
    if image is not None:
        links[IMAGE] = token_of(viewer.layers, image)
        note(points, **{CHOSEN: links[IMAGE]})
    for layer_data in layers:
        made = add_made(viewer, layer_data, **links)
        if layer_data[2] == "points":  # below, so that other widgets take the atoms for the atoms
            viewer.layers.move(viewer.layers.index(made), viewer.layers.index(points))
    active_of(viewer).bring_forward(points)


def in_words(crystal: Crystal, placement: Placement, layers: list[Any]) -> str:
    """What was measured, lengths in the unit of the layer."""
    words = []
    if crystal.lattice is not None:
        size, unit = placement.pixel_size()
        words.append(crystal.lattice.scaled(size or (1.0, 1.0)).describe(unit))
    words += filter(None, [crystal.describe_grains()])
    if crystal.vacancies is not None:
        n = len(crystal.vacancies)
        words.append(f"{n} vacanc{'y' if n == 1 else 'ies'}." if n else "No vacancies.")
    arrows = [f"{made['metadata'][KEY]['kind']} × {made['length']:g}" for _, made, kind in layers if kind == "vectors"]
    if arrows:
        words.append(f"Arrows are drawn longer: {', '.join(arrows)}.")
    return "\n".join(words)


def _unchanged(viewer: Any, points: Any, request: CrystalRequest) -> bool:
    if points not in viewer.layers:
        return False
    now = atoms_from_points(points, request.placement)[["frame", "y", "x"]].to_numpy(float)
    return np.array_equal(now, request.atoms[["frame", "y", "x"]].to_numpy(float))
