"""The button that starts and stops a job, with its progress and the time left."""

from __future__ import annotations

from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from .guide import MorePages
from .panel import sentence


class ProgressBox(QWidget):
    """Start ↔ Stop, a bar, and one line of words.

    Parameters
    ----------
    start_text, tooltip : str
        Of the button while no job runs.
    page : str
        Of the documentation, to which failures point.
    """

    start_clicked = Signal()
    stop_clicked = Signal()

    def __init__(self, start_text: str, tooltip: str, *, page: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._start_text, self._tooltip = start_text, tooltip
        self._running = False
        self.button = QPushButton(start_text)
        self.button.setToolTip(tooltip)
        self.button.setMinimumHeight(30)
        self.bar = QProgressBar()
        self.bar.setToolTip("How far the work is")
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.words = sentence()
        self.words.setToolTip("What is being done, and how long it still takes")
        self.more = MorePages(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.buttons = QHBoxLayout()
        self.buttons.addWidget(self.button, 1)
        column.addLayout(self.buttons)
        column.addWidget(self.bar)
        column.addWidget(self.words)
        column.addWidget(self.more)
        self.bar.hide()
        self.button.clicked.connect(self._on_clicked)

    def offer(self, start_text: str, tooltip: str) -> None:
        """Give the button another name and tooltip."""
        self._start_text, self._tooltip = start_text, tooltip
        if not self._running:
            self.button.setText(start_text)
            self.button.setToolTip(tooltip)

    def begin(self, words: str) -> None:
        """Show that a job runs."""
        self._running = True
        self.button.setText("Stop")
        self.button.setToolTip("End here and keep what was found so far")
        self.bar.setValue(0)
        self.bar.show()
        self.say(words)

    def show_step(self, step: Any) -> None:
        """Show an event: ``message``, ``fraction`` (0 to 1), ``seconds_left`` (or None), and perhaps ``device``."""
        self.bar.setValue(round(1000 * step.fraction))
        where = f" on {step.device}" if getattr(step, "device", "") else ""
        left = f", {duration(step.seconds_left)} left" if step.seconds_left is not None else ""
        self.words.setText(f"{step.message}{where}{left}")

    def end(self) -> None:
        """Show that no job runs; the words stay."""
        self._running = False
        self.button.setText(self._start_text)
        self.button.setToolTip(self._tooltip)
        self.button.setEnabled(True)
        self.bar.hide()

    def say(self, words: str) -> None:
        """Show a sentence."""
        self.words.setText(words)
        self.more.hide()

    def show_failure(self, words: str) -> None:
        """Show what went wrong, and the pages that help."""
        self.say(words)
        self.more.show()

    def refuse(self, error: Exception | str) -> None:
        """Show why nothing is begun, here and as a notification, which may be cut off and goes away."""
        self.show_failure(str(error))
        show_error(str(error))

    def _on_clicked(self) -> None:
        if self._running:
            self.button.setText("Stopping …")
            self.button.setEnabled(False)
            self.stop_clicked.emit()
        else:
            self.start_clicked.emit()


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
