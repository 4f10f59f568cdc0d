"""The button that starts and stops a job, with its progress and the time left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QProgressBar, QWidget

from ...core.errors import InputError
from .guide import MorePages
from .jobs import Job
from .panel import button_of, row_of, sentence, stacked

DOUBLE_CLICK = 500  # milliseconds after the start in which a click is not meant to stop
PATIENCE = 2000  # milliseconds after Stop from which on one can leave what was found
LEAVE = "End without result"


class ProgressBox(QWidget):
    """Start ↔ Stop, a bar, and one line of words; the time left only goes down.

    Parameters
    ----------
    start_text, tooltip : str
        Of the button while no job runs.
    page : str
        Of the documentation, to which failures point.
    job : Job, optional
        That is shown and stopped here.
    """

    start_clicked = Signal()
    stop_clicked = Signal()
    leave_clicked = Signal()

    def __init__(self, start_text: str, tooltip: str, *, page: str, job: Job | None = None) -> None:
        super().__init__()
        self._start_text, self._tooltip = start_text, tooltip
        self._running = False
        self._just_begun = QTimer(self, singleShot=True, interval=DOUBLE_CLICK)
        self._stopping = QTimer(self, singleShot=True, interval=PATIENCE)
        self._stopping.timeout.connect(self._offer_to_leave)
        self._ends = math.inf  # when the job is expected to end, on the clock of `time.monotonic`
        self.button = button_of(start_text, tooltip)
        self.button.setMinimumHeight(30)
        self.bar = QProgressBar()
        self.bar.setToolTip("How far the work is")
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.words = sentence()
        self.words.setToolTip("What is being done, and how long it still takes")
        self.more = MorePages(page)
        self.buttons = row_of(self.button, wide=self.button)
        stacked(self, self.buttons, self.bar, self.words, self.more)
        self.bar.hide()
        self.button.clicked.connect(self._on_clicked)
        if job is not None:
            self.stop_clicked.connect(job.stop)
            self.leave_clicked.connect(job.leave)
            job.progressed.connect(self.show_step)
            job.failed.connect(self.show_failure)
            job.ended.connect(self.end)

    def offer(self, start_text: str, tooltip: str) -> None:
        """Give the button another name and tooltip."""
        self._start_text, self._tooltip = start_text, tooltip
        if not self._running:
            self.button.setText(start_text)
            self.button.setToolTip(tooltip)

    def begin(self, words: str) -> None:
        """Show that a job runs."""
        self._running, self._ends = True, math.inf
        self.button.setText("Stop")
        self.button.setToolTip("End here and keep what was found so far")
        self.bar.setValue(0)
        self.bar.show()
        self.say(words)

    def show_step(self, step: Any) -> None:
        """Show an event: ``message``, ``fraction`` (0 to 1), ``seconds_left`` (or None), and perhaps ``device``."""
        self.bar.setValue(round(1000 * step.fraction))
        where = f" on {step.device}" if getattr(step, "device", "") else ""
        self.words.setText(f"{step.message}{where}{self._left(step.seconds_left)}")

    def end(self) -> None:
        """Show that no job runs; the words stay."""
        self._running = False
        self._just_begun.stop()
        self._stopping.stop()
        self.button.setText(self._start_text)
        self.button.setToolTip(self._tooltip)
        self.button.setEnabled(True)
        self.bar.hide()

    def say(self, words: str) -> None:
        """Show a sentence."""
        self.words.setText(words)
        self.more.hide()

    def forget(self) -> None:
        """Take away what was said, which does not hold for other settings; a running job goes on telling."""
        if not self._running:
            self.say("")

    def show_failure(self, words: str) -> None:
        """Show what went wrong, and the pages that help."""
        self.say(words)
        self.more.show()

    def refuse(self, error: Exception | str) -> None:
        """Show why nothing is begun, here and as a notification, which may be cut off and goes away."""
        self.show_failure(str(error))
        show_error(str(error))

    def _left(self, seconds: float | None) -> str:
        """Words of the time left, which estimates may not lengthen."""
        if seconds is None:
            self._ends = math.inf
            return ""
        now = time.monotonic()
        self._ends = min(self._ends, now + seconds)
        return f", {duration(self._ends - now)} left" if self._ends > now else ", a little longer"

    def _on_clicked(self) -> None:
        if self._just_begun.isActive():
            return
        if self._running and self.button.text() == LEAVE:
            self.button.setEnabled(False)
            self.leave_clicked.emit()
        elif self._running:
            self.button.setText("Stopping …")
            self.button.setEnabled(False)
            self.stop_clicked.emit()
            self._stopping.start()
        else:
            self.start_clicked.emit()
            if self._running:
                self._just_begun.start()

    def _offer_to_leave(self) -> None:
        self.button.setText(LEAVE)
        self.button.setToolTip("End at once and keep nothing")
        self.button.setEnabled(True)


def refusing(action: Callable[..., None]) -> Callable[..., None]:
    """Let bad input to a method of what has a ``progress`` box end there, and in a notification."""
    takes = action.__code__.co_argcount - 1  # a button that is clicked also says whether it is down

    @wraps(action)
    def refused(self: Any, *args: Any) -> None:
        try:
            action(self, *args[:takes])
        except InputError as error:
            self.progress.refuse(error)

    return refused


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(4.2), duration(95), duration(7300)
    ('4 s', '1 min 35 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
