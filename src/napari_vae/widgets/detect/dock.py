"""Dock widget “Detect atoms”: from an image layer to a Points layer that the user may edit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QWidget

from ...atoms.frames import describe_skipped
from ...atoms.recipe import Options
from ...core.errors import InputError
from ...core.fields import settings_of
from ...layers.edits import Scope
from ...layers.points import KEY, placement_now, placement_of
from ..common.drawn_region import REGION
from ..common.guide import Dock
from ..common.jobs import Job
from ..common.panel import button_of, folded
from ..common.progress_box import ProgressBox, refusing
from .atoms_delivery import History, deliver, show_tracks
from .crystal_box import CrystalBox
from .form import DetectForm
from .preview import Preview
from .steps import Candidates, DetectionRequest, candidate_steps, detect_steps

if TYPE_CHECKING:
    import pandas as pd


CRYSTAL = "Lattice, strain, vacancies and intensities of the atoms found; a first look does not need it"
LOWER = "Move the threshold to the left or choose the other contrast."
LOWER_INSIDE = "Move the threshold to the left or draw the region elsewhere."
EDIT = "Edit them by hand if you like."
WEAK = "Weak columns show between them: press Find weak atoms to have these too."
UNDO = "Bring the atoms back as they were before the last detection; once more for the one before it"


class DetectWidget(Dock):
    """Finds atoms, marks them while the threshold is chosen, and makes a Points layer of them."""

    PAGE = "detection"
    HINT = "Move, add or delete points by hand as you like."
    BEFORE = "Press Detect; every atom gets a point that you may move, add or delete."

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.form = DetectForm(napari_viewer, self.image)
        self.job = Job(self)
        self.progress = ProgressBox(
            "Detect", "Find the atoms and make a Points layer of them", page=self.PAGE, job=self.job
        )
        self.preview_job = Job(self, notify=False)
        self.preview = Preview(napari_viewer)
        self.history = History(napari_viewer)
        self.undo_button = button_of("Undo", UNDO)
        self.undo_button.setEnabled(False)
        self.progress.buttons.addWidget(self.undo_button)
        self.weak_button = button_of("Find weak atoms", settings_of(Options)["weak"].text)
        self.weak_button.hide()
        self.progress.buttons.addWidget(self.weak_button)
        self._request: DetectionRequest | None = None
        self._image: Any = None  # that the request is of
        self._candidates: Candidates | None = None
        self._stale = False
        self._settled = False  # what was asked for is found, and no marks are needed
        self._complaint = ""
        self._timer = QTimer(self, singleShot=True, interval=200)
        self.column.addWidget(self.form)
        self.column.addWidget(self.progress)
        self.crystal = CrystalBox(napari_viewer)
        self.column.addWidget(folded("Crystal", self.crystal, CRYSTAL))
        self.column.addStretch()
        self._connect()

    @refusing
    def detect(self) -> None:
        """Check the input, then start the job; bad input ends in a notification."""
        self._start(self.form.request())

    @refusing
    def detect_weak(self) -> None:
        """Detect again, and look for weak atoms between those found; the box stays as the user left it."""
        self._start(replace(self.form.request(), weak=True, refine=True))

    def _start(self, request: DetectionRequest) -> None:
        self._request, self._image = request, self.form.image.layer()
        self._unmark()
        self.weak_button.hide()
        self.progress.begin("Looking for atoms …")
        self.job.start(detect_steps, request)

    def showEvent(self, event: QShowEvent) -> None:  # Qt's name
        """Mark the atoms."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:  # Qt's name
        """Take the marks away."""
        super().hideEvent(event)
        self._timer.stop()
        self.preview.hide()

    def _connect(self) -> None:
        self.form.changed.connect(self._on_form_changed)
        self.form.redrawn.connect(self._on_redrawn)
        self.form.image.layer_changed.connect(self._on_image_changed)
        self.form.threshold_changed.connect(self._on_threshold_changed)
        self.form.preview.toggled.connect(self._on_preview_toggled)
        self._viewer.dims.events.current_step.connect(self._on_frame_changed)
        self._timer.timeout.connect(self._look)
        self.preview_job.succeeded.connect(self._on_candidates)
        self.preview_job.failed.connect(self.progress.show_failure)
        self.preview_job.ended.connect(self._on_preview_ended)
        self.progress.start_clicked.connect(self.detect)
        self.undo_button.clicked.connect(self.undo)
        self.weak_button.clicked.connect(self.detect_weak)
        self.job.succeeded.connect(self._on_atoms)

    def _on_form_changed(self) -> None:
        self.weak_button.hide()
        self._candidates, self._settled = None, False
        self._stale = self.preview_job.running
        self.preview.hide()
        self._timer.start()

    def _on_redrawn(self) -> None:
        self._settled = False
        self._timer.start()

    def _on_threshold_changed(self) -> None:
        self._settled = False
        if self._candidates is None or self._candidates.request.frame == self.form.frame_in_view():
            self._show_preview()
        else:
            self._timer.start()

    def _on_image_changed(self) -> None:
        if not self.job.running:
            self.progress.say("")  # it was about another image

    def _on_frame_changed(self, event: Any = None) -> None:
        if isalive(self) and self.form.image.layer() is not None and self.form.image.layer().ndim == 3:
            self._timer.start()

    def _on_preview_toggled(self, wanted: bool) -> None:
        if wanted:
            self._on_redrawn()
        else:
            self.preview.hide()

    def _look(self) -> None:
        """Look for candidates on the frame in view, in the background; once more when a look is under way."""
        if self.job.running or self._settled or not self.isVisible() or self.form.image.layer() is None:
            return
        if self.preview_job.running:
            self._stale = True
            return
        try:
            request = self.form.request()
        except InputError as error:
            self._unmark()
            self._complaint = str(error)
            self.progress.show_failure(self._complaint)
            return
        if self.progress.words.text() == self._complaint:
            self.progress.say("")
        self.form.show_count("looking …")
        frame = replace(request, frame=self.form.frame_in_view(), threshold=None)
        self.preview_job.start(candidate_steps, frame, self._candidates)

    def _on_candidates(self, candidates: Candidates) -> None:
        if self._stale or self.form.image.layer() is None:
            return
        self._candidates = candidates
        self.form.show_candidates(candidates)
        self._show_preview()

    def _on_preview_ended(self) -> None:
        if self._candidates is None:
            self.form.show_count(None)
        if self._stale:
            self._stale = False
            self._timer.start()

    def _unmark(self) -> None:
        layer = self.form.image.layer()
        if layer is not None and self.form.where.currentData() == REGION and self.form.preview.isChecked():
            self.preview.clear(placement_of(layer))  # the user may be drawing
        else:
            self.preview.hide()

    def _show_preview(self) -> None:
        if self._candidates is None:
            return
        score = self.form.threshold.score()
        self.form.show_count(int((self._candidates.atoms["score"] >= score).sum()))
        wanted = self.form.preview.isChecked() and self.isVisible()
        if wanted and not self.job.running and not self._settled:
            self.preview.show(self._candidates, score)

    def _on_atoms(self, atoms: pd.DataFrame) -> None:
        from ...atoms.weak import weak_columns_show

        request, image, doubt = self._request, self._image, atoms.attrs[KEY]["doubt"]
        request = replace(request, placement=placement_now(request.placement, image, self._viewer))
        if not len(atoms):
            inside, advice = (" inside the region", LOWER_INSIDE) if request.region is not None else ("", LOWER)
            why = advice if request.threshold is not None else doubt or advice
            self.progress.refuse(f"No atoms were found{inside}. {why}")
            return
        frames = frozenset(atoms["frame"]) if self.job.stopping else _frames(request)
        scope = Scope(frames, request.region)
        layer, count, remark = deliver(self._viewer, atoms, request, scope, self.history)
        if layer is not None:
            show_tracks(self._viewer, layer)
        self._settled = True
        self.undo_button.setEnabled(len(self.history) > 0)
        n = atoms["frame"].nunique()
        where = " in this region" if request.region is not None else f" in {n} frames" if n > 1 else ""
        kinds = atoms["sublattice"].nunique() if "sublattice" in atoms else 1
        sites = f", {kinds} sublattices" if kinds > 1 else ""
        contrast = settings_of(Options)["polarity"].choices[atoms.attrs[KEY]["polarity"]]
        weak = weak_columns_show(atoms)
        self.weak_button.setVisible(weak)
        remarks = describe_skipped(atoms), doubt, remark or WEAK * weak or EDIT * (not doubt)
        self.progress.say(" ".join(filter(None, [f"{count} atoms{where}, {contrast}{sites}.", *remarks])))

    def undo(self) -> None:
        """Take the last detection back."""
        self.progress.say(self.history.undo())
        self.undo_button.setEnabled(len(self.history) > 0)


def _frames(request: DetectionRequest) -> frozenset[int] | None:
    return None if request.frame is None else frozenset([request.frame])
