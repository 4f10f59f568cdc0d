"""What the colours on the canvas mean, in words and in the colours themselves."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from ...core.class_colors import class_colors
from ..common.plot import swatch
from .steps import Described

SHOWN = 16  # classes; there are no more colours than that


class Legend(QLabel):
    """One paragraph on the points and one on the classes; hidden until there is a result."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setToolTip("Colours of the points and of the classes on the image; click on a layer to change its colours")
        self.hide()

    def show_result(self, result: Described) -> None:
        """Name the latent that colours the points, and the colour and number of members of every class."""
        counts = result.classes.value_counts().sort_index()
        names, colors = (
            result.names or range(int(result.classes.max()) + 1),
            class_colors(int(result.classes.max()) + 1),
        )
        classes = "&nbsp;&nbsp; ".join(
            f"{swatch(colors[number], on_black=True)}&nbsp;{escape(str(names[number]))}:&nbsp;{n}"
            for number, n in list(counts.items())[:SHOWN]
        )
        more = f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
        self.setText(
            f"Points: {result.latents.columns[0]}, as on the colour bar.<br>"
            f"Classes, with their {result.source.noun}: {classes}{more}"
        )
        self.show()
