"""Dock widget “Active learning”: where to measure next, learned from what was measured so far."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

from ..common.canvas import WindowSquare
from ..common.guide import Dock
from ..common.jobs import Job
from ..common.panel import button_of, folded
from ..common.progress_box import ProgressBox, refusing
from ..common.run_loading import load_steps
from .instrument_box import InstrumentBox
from .learned_layers import LearnedLayers
from .live_view import LiveView
from .plan_form import PlanForm
from .record_box import RecordBox
from .session import Session, Snapshot
from .setup_form import SetUpForm, read_record
from .steps import begin_and_run_steps, begin_steps, run_steps, suggest_steps

SETUP = "Images, places, target and first measurements; fixed from the first step to Start over"
RUN = ("Run", "Measure and learn until the budget is spent or the rule above holds; goes on in the background")
SUGGEST = ("Suggest", "Choose where you are to measure first; then type in what you find below")
STEP = "The first time: show where to begin. Then: measure what is suggested, learn from it, and suggest again"
UNDO = "Take the last measurement back, or the last several that were made at a time"
FAILED_BY_USER = "It could not be measured."


class LearnWidget(Dock):
    """Suggests where to measure next, takes in what was measured, and paints what it has learned."""

    PAGE = "active-learning"
    HINT = "Choose what is explored and its target, and press Step; the next places get rings on the image."

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(napari_viewer, parent)
        self.form, self.plan = SetUpForm(napari_viewer, self.image), PlanForm()
        self.job = Job(self)
        self.progress = ProgressBox(*RUN, page=self.PAGE, job=self.job)
        self.step_button, self.undo_button = button_of("Step", STEP), button_of("Undo", UNDO)
        self.instrument = InstrumentBox()
        self.live = LiveView(napari_viewer)
        self.records = RecordBox(self.form.data.image.layer)
        self.layers = LearnedLayers(napari_viewer)
        self.session: Session | None = None
        self._square = WindowSquare(napari_viewer, self, self.form.data, self._may_be_set_up)
        self._lay_out()
        self._connect()
        self._refresh()

    @property
    def typed(self) -> bool:
        """Whether the user is the instrument."""
        return self.form.target.typed if self.session is None else self.session.target is None

    @refusing
    def run(self) -> None:
        """Go on until the budget or a rule ends it; of a user who measures, suggest where to begin."""
        if self.typed:
            self.step()
        elif self.session is None:
            self._begin(begin_and_run_steps, self.plan.budget.value(), self.plan.until())
        else:
            self._start("Measuring …", run_steps, self.session, self.plan.budget.value(), self.plan.until())

    @refusing
    def step(self) -> None:
        """One step: show where to begin, or measure what is suggested and suggest again."""
        if self.session is None:
            self._begin(begin_steps)
        elif self.typed or self.session.stale:
            self._start("Fitting the model …", suggest_steps, self.session)
        else:
            self._start("Measuring …", run_steps, self.session, self.plan.budget.value(), None, 1)

    @refusing
    def undo(self) -> None:
        """Take the last measurement back, and suggest as it was suggested then."""
        if self.session is not None:
            self.session.undo()
            self._go_on(self.session, "Taking the last measurement back …")

    def start_over(self) -> None:
        """End the exploration; its layers stay, hidden."""
        self.session = None
        self.layers.begin()
        self.live.hide()
        self.setup.expand(animate=False)
        self.progress.say("")
        self._refresh()

    @refusing
    def open_record(self, folder: str) -> None:
        """Go on with an exploration that was saved, of what is chosen above; bad input ends in a notification."""
        read_record(folder, self.form, self.plan)
        self._begin(begin_steps, folder)

    def load_run(self, folder: str) -> None:
        """Read a model whose encoder is to describe the places."""
        self._start("Loading …", load_steps, folder)

    def tell(self, value: float | None) -> None:
        """Take in what the user measured at the next place; None where it could not be measured."""
        session = self.session
        if session is None or self.job.running or not len(session.upcoming):
            return
        row = int(session.upcoming[0])
        if value is None:
            session.exploration.fail(row, FAILED_BY_USER)
        else:
            session.exploration.tell(row, value)
        self._go_on(session, "Fitting the model …")

    def _lay_out(self) -> None:
        for other in (self.step_button, self.undo_button):
            other.setMinimumHeight(30)
            self.progress.buttons.addWidget(other, 1)
        self.setup = folded("What is explored", self.form, SETUP)
        self.setup.expand(animate=False)
        for widget in (self.setup, self.plan, self.progress, self.instrument, self.live, self.records):
            self.column.addWidget(widget)
        self.column.addStretch()

    def _connect(self) -> None:
        self.form.features.loader.said.connect(self.progress.say)
        self.form.features.load_asked.connect(self.load_run)
        self.form.target.changed.connect(self._on_target_changed)
        self.progress.start_clicked.connect(self.run)
        self.step_button.clicked.connect(self.step)
        self.undo_button.clicked.connect(self.undo)
        self.instrument.measured.connect(self.tell)
        self.instrument.shown.connect(self.layers.go_to_next)
        self.live.embedding.row_chosen.connect(self.layers.go_to_candidate)
        self.records.over_clicked.connect(self.start_over)
        self.records.open_asked.connect(self.open_record)
        self.records.said.connect(self.progress.say)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_result)
        self.job.ended.connect(self._refresh)

    def _begin(self, steps: Any, *more: Any) -> None:
        """Check the input, then begin an exploration."""
        setup = self.form.read(self.plan)
        self.layers.begin(setup.source.image)
        self._square.hide()
        self._start("Starting …", steps, setup, *more)

    def _start(self, words: str, steps: Any, *args: Any) -> None:
        if self.job.running:
            return
        self.progress.begin(words)
        self.job.start(steps, *args)
        self._refresh()

    def _go_on(self, session: Session, words: str) -> None:
        """Suggest what is next if nothing is to be measured any more."""
        if session.stale:
            self._start(words, suggest_steps, session)
            return
        self._show(session.snapshot(session.describe()))
        self.progress.say(session.describe())
        self._refresh()

    def _on_progress(self, event: Any) -> None:
        if isinstance(event, Snapshot):
            self._show(event, passing=True)

    def _on_result(self, result: Any) -> None:
        if not isinstance(result, Snapshot):
            self.form.features.set_saved(result, result.model_config.name)
            self.progress.say(f"The encoder of {result.model_config.name} describes the places from now on.")
            return
        self._show(result)
        self.progress.say(result.message)

    def _show(self, snapshot: Snapshot, *, passing: bool = False) -> None:
        if self.session is not snapshot.session:
            self.session = snapshot.session
            self.setup.collapse(animate=False)
        self.layers.show(snapshot, passing=passing)
        self.live.embedding.show_bar.follow(self.layers.points)
        self.live.show_snapshot(snapshot)
        self.updateGeometry()

    def _refresh(self) -> None:
        """Let that be used which makes sense now, and ask the user for the next value."""
        session, idle = self.session, not self.job.running
        ready = idle and (session is None or not session.finished)
        self.form.setEnabled(idle and session is None)
        self.plan.set_fixed(not idle or session is not None)
        self.plan.set_typed(self.typed)
        self.progress.offer(*(SUGGEST if self.typed else RUN))
        self.progress.button.setEnabled(not idle or (ready and (session is None or not self.typed or session.stale)))
        self.step_button.setVisible(not self.typed)
        self.step_button.setEnabled(ready)
        self.undo_button.setEnabled(idle and session is not None and session.tried > 0)
        self.records.set_record(None if session is None else session.exploration.record, idle=idle)
        self.instrument.setVisible(self.typed and session is not None)
        if self.typed and session is not None:
            self._ask_user(session, idle)

    def _ask_user(self, session: Session, idle: bool) -> None:
        row = int(session.upcoming[0]) if idle and len(session.upcoming) else None
        if row is None:
            self.instrument.rest("Nothing is to be measured now." if idle else "The next place is being chosen …")
        elif row != self.instrument.row:  # else the user may be looking elsewhere
            left = len(session.upcoming) - 1
            others = f" {left} more after it." if left else ""
            self.layers.go_to_next()
            place = session.candidates.describe_place(row)
            self.instrument.ask(row, f"Measure the place in the middle of the canvas: {place}.{others}")

    def _on_target_changed(self) -> None:
        if self.session is not None:
            return  # what was begun keeps its target, also while layers of its own come
        self.plan.suit(self.form.target.read_purpose())
        self._refresh()
        self.updateGeometry()

    def _may_be_set_up(self) -> bool:
        """Whether no exploration has begun."""
        return self.session is None and not self.job.running
