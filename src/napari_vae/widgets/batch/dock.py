"""Dock widget “Batch”: the same work on many files, while the window stays alive."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from ...batch.outcomes import BatchProgress, Outcome, Task, count_outcomes
from ...batch.summary import PAGE as REPORT
from ...core.errors import InputError
from ...layers.active import active_of, like_what_is_open
from ...layers.identity import note
from ...layers.open_runs import keep_run
from ...layers.points import KEY
from ..common.guide import Dock
from ..common.jobs import Job
from ..common.panel import button_of, row_of, sentence, side_by_side
from ..common.progress_box import ProgressBox, refusing
from ..common.show_bar import ShowBar
from ..common.steps_row import BATCHED
from .form import BatchForm
from .steps import Finished, Listed, Opened, Work, batch_steps, list_steps, open_steps
from .table import BatchTable

START = "Work through the files in the background; what is finished already is not done again"


class BatchWidget(Dock):
    """Detects atoms, applies a model or trains one on each of many files, and opens what came of it."""

    PAGE = "batch"
    HINT = "Choose what to do and which files, and press Start. No image needs to be open."

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.form = BatchForm()
        self.job, self.open_job = Job(self), Job(self)
        self.list_job = Job(self, notify=False)
        self._timer = QTimer(self, singleShot=True, interval=300)
        self.progress = ProgressBox("Start", START, page=self.PAGE, job=self.job)
        self.table = BatchTable()
        self.remark = sentence()
        self.remark.setToolTip("What was found in the file of the selected row, or why it failed")
        self.open_button = button_of(
            "Open", "Show the image of the selected row, and what was found in it, in the viewer"
        )
        self.show_bar = ShowBar(napari_viewer)
        self.report_button = button_of("Report", "Show the page with all files, report.html, in the browser")
        self._task: Task | None = None
        self._left: Work | None = None
        self._folder: Path | None = None
        self._lay_out()
        self._connect()
        self._show_chosen()

    @refusing
    def start(self) -> None:
        """Check the input, then start the job; bad input ends in a notification."""
        task, patterns, folder = self.form.job(), self.form.patterns(), self.form.folder()
        self._task, self._folder = task, folder
        self._timer.stop()  # the work lists its files itself
        self.list_job.stop()
        self.table.show_files([])
        self.progress.begin("Starting …")
        self.job.start(batch_steps, task, patterns, folder, self.form.replace.isChecked(), self._left)
        self._show_chosen()

    def open_chosen(self) -> None:
        """Open what was made of the selected file."""
        outcome = self.table.chosen()
        if outcome is not None:
            self.open(outcome)

    def open(self, outcome: Outcome) -> None:
        """Show the image of a file and what was found in it."""
        if self._task is not None and not self.open_job.running:
            self.open_job.start(open_steps, outcome, self._task)

    def _lay_out(self) -> None:
        buttons = side_by_side(row_of(self.open_button, self.report_button))
        for widget in (self.form, self.progress, self.table, self.remark, buttons, self.show_bar):
            self.column.addWidget(widget, int(widget is self.table))

    def _connect(self) -> None:
        self.progress.start_clicked.connect(self.start)
        self.form.files.textChanged.connect(self._timer.start)
        self._timer.timeout.connect(self._list)
        self.list_job.succeeded.connect(self._on_listed)
        self.list_job.failed.connect(self.progress.say)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_finished)
        self.job.ended.connect(self._on_end)
        self.table.itemSelectionChanged.connect(self._show_chosen)
        self.table.open_asked.connect(self.open)
        self.open_button.clicked.connect(self.open_chosen)
        self.report_button.clicked.connect(self._on_report_clicked)
        self.open_job.progressed.connect(self._on_opening)
        self.open_job.succeeded.connect(self._on_opened)
        self.open_job.failed.connect(self.progress.show_failure)

    def _list(self) -> None:
        """Show which files are named, before they are worked on."""
        if self.list_job.running:
            self._timer.start()
        elif not self.job.running:
            self.table.show_files([])
            self._show_chosen()
            with suppress(InputError):  # nothing is named
                self.list_job.start(list_steps, self.form.patterns())

    def _on_listed(self, listed: Listed) -> None:
        if not self.list_job.stopping:
            self.table.show_files(listed.paths)
            self.progress.say(f"{len(listed.paths)} file{'s' * (len(listed.paths) != 1)}." if listed.paths else "")

    def _on_progress(self, event: Any) -> None:
        if isinstance(event, Listed):
            self.table.show_files(event.paths)
        elif isinstance(event, BatchProgress):
            self.table.show_progress(event)

    def _on_finished(self, finished: Finished) -> None:
        self._left = finished.work
        self.table.show_outcomes(finished.outcomes)
        self.progress.say(_headline(finished))
        if not all(outcome.failed for outcome in finished.outcomes):
            self._note_done()

    def _note_done(self) -> None:
        """Tick this step, of the image that is worked on."""
        image = active_of(self._viewer).image
        if image is not None:
            note(image, **{BATCHED: True})

    def _on_end(self) -> None:
        self.table.end()
        self._show_chosen()

    def _show_chosen(self) -> None:
        """What there is of the selected row and of the whole: words and buttons."""
        self.remark.setText(self.table.remark())
        self.remark.setVisible(bool(self.remark.text()))
        self.open_button.setEnabled(self.table.chosen() is not None)
        written = self._folder is not None and (self._folder / REPORT).is_file()
        self.report_button.setEnabled(written and not self.job.running)

    def _on_report_clicked(self) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str((self._folder / REPORT).resolve())))

    def _on_opening(self, event: Any) -> None:
        if not self.job.running:
            self.progress.say(event.message)

    def _on_opened(self, opened: Opened) -> None:
        for data, options, kind in like_what_is_open(opened.layers):
            if kind == "points" and opened.run is not None:
                options["metadata"][KEY]["run"] = keep_run(self._viewer, opened.run)
            layer = getattr(self._viewer, f"add_{kind}")(data, **options)
            if kind == "points":
                self.show_bar.follow(layer)
        self._note_done()
        if not self.job.running:
            self.progress.say("It is open in the viewer.")


def _headline(finished: Finished) -> str:
    done = sum(not outcome.failed for outcome in finished.outcomes)
    failures = count_outcomes(finished.outcomes)
    if finished.together and not finished.outcomes:
        return "Stopped before the training; no model is written. Start begins anew."
    if len(finished.outcomes) < finished.total:
        return f"Stopped: {done} of {finished.total} files are done{failures}. Start goes on with the others."
    if finished.together:
        model = f"model of {done} of {finished.total} files"
        if finished.cut_short:
            return f"Stopped: the {model}, as it was then, is in {finished.folder}{failures}. Start trains it anew."
        return f"One {model} is in {finished.folder}{failures}."
    return f"{done} of {finished.total} files are done{failures}; see summary.csv and report.html in {finished.folder}."
