"""Groups of atoms by the columns that the user chooses, found in the background: a button, and a menu beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QMenu, QSizePolicy, QWidget, QWidgetAction

from ...layers.table import AXES, numeric_columns
from ..common.jobs import Job, Step, import_clustering
from ..common.panel import Form, button_of, choice_of, counter, row_of, sentence, stacked

METHODS = {"gmm": "Gaussian mixture", "kmeans": "k-means", "hdbscan": "density (HDBSCAN)"}
LIST_HEIGHT = 120
MOST = 50


class GroupingBox(QWidget):
    """A button, and a menu that has the columns, the method and the number of groups."""

    found = Signal(object)  # Series of int, −1 for none
    refused = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table, self._symmetry = pd.DataFrame(), 1
        self._wanted = False
        self.method = choice_of(METHODS)
        self.number = counter(0, MOST, 0)
        self.number.setSpecialValueText("auto")
        self.columns = QListWidget()
        self.columns.setFixedHeight(LIST_HEIGHT)
        self.button = button_of("Group", "Find groups of atoms and write them as classes into the column below")
        self.words = sentence()
        self.job = Job(self)
        self.menu_button = button_of("", "By which columns groups are found, by which method, and how many")
        self._lay_out()
        self.words.hide()
        self.method.currentIndexChanged.connect(self._on_method)
        self.columns.itemChanged.connect(self._say_columns)
        self.button.clicked.connect(self.group)
        self.job.succeeded.connect(self._on_found)
        self.job.failed.connect(self._say)
        self.job.ended.connect(self._on_ended)

    def _lay_out(self) -> None:
        form = Form()
        form.add(
            "Columns",
            self.columns,
            "Columns to group by; tick latents, and what else shall tell groups apart. Angles count as places on a "
            "circle.",
        )
        form.add(
            "Method",
            self.method,
            "How groups are found. The Gaussian mixture suits oval groups and is the usual choice; k-means suits "
            "round ones of like size and is fast; the density suits any shape, finds their number itself, and "
            "leaves outliers out.",
        )
        form.add(
            "Number",
            self.number,
            "Number of groups. Auto takes the one that fits best without needless groups (lowest BIC); set it when "
            "you know how many there are.",
        )
        form.layout().setContentsMargins(6, 6, 6, 6)
        menu, holder = QMenu(self.menu_button), QWidgetAction(self.menu_button)
        holder.setDefaultWidget(form)
        menu.addAction(holder)
        menu.aboutToShow.connect(self.columns.setFocus)
        self.menu_button.setMenu(menu)
        self.menu_button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        stacked(self, row_of(self.button, self.menu_button, wide=self.menu_button), self.words)
        self._say_columns()

    def _say_columns(self, item: QListWidgetItem | None = None) -> None:
        self.menu_button.setText(f"by {', '.join(self.chosen()) or '…'}")

    def set_table(self, table: pd.DataFrame, symmetry: int) -> None:
        """Offer the columns of another table; what is ticked stays so, latents are ticked at first."""
        names = [name for name in numeric_columns(table) if name not in AXES]
        known = {self.columns.item(i).text(): self.columns.item(i).checkState() for i in range(self.columns.count())}
        self._table, self._symmetry = table, symmetry
        if names == list(known):
            return
        self.columns.clear()
        for name in names:
            item = QListWidgetItem(name, self.columns)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            latent = name.removeprefix("vae_").removeprefix("z").isdigit()
            item.setCheckState(known.get(name, Qt.CheckState.Checked if latent else Qt.CheckState.Unchecked))
        self._say_columns()

    def forget(self) -> None:
        """Make nothing of the groups that are being found, as another layer was chosen."""
        if self._wanted:
            self._wanted = False
            self._say("")

    def chosen(self) -> list[str]:
        """Ticked columns."""
        items = [self.columns.item(i) for i in range(self.columns.count())]
        return [item.text() for item in items if item.checkState() == Qt.CheckState.Checked]

    def group(self) -> None:
        """Find groups; bad input is refused."""
        columns = self.chosen()
        if self.job.running:
            return
        if not columns:
            self.refused.emit("Tick at least one column to group by.")
            return
        self.button.setEnabled(False)
        self._wanted = True
        self._say("Grouping …")
        number = self.number.value() or "auto"
        self.job.start(group_steps, self._table[columns], self.method.currentData(), number, self._symmetry)

    def _say(self, words: str) -> None:
        self.words.setText(words)
        self.words.setVisible(bool(words))

    def _on_method(self, index: int) -> None:
        self.number.setEnabled(self.method.currentData() != "hdbscan")

    def _on_found(self, found: pd.Series) -> None:
        if not self._wanted:
            return
        self._wanted = False
        bic = found.attrs.get("bic")
        n, left_out = int(found.max()) + 1, int((found < 0).sum())
        words = f"{n} group{'s' if n != 1 else ''}" + (f", {left_out} atoms in none" if left_out else "")
        if bic:
            each = [f"{number}:\N{NO-BREAK SPACE}{value:.0f}".replace("-", "−") for number, value in bic.items()]
            words += "; BIC of each number: " + ", ".join(each)
        self._say(f"{words}.")
        self.found.emit(found)

    def _on_ended(self) -> None:
        self.button.setEnabled(True)


def group_steps(
    stop: Callable[[], bool], table: pd.DataFrame, method: str, number: Any, symmetry: int
) -> Generator[Step, None, pd.Series]:
    """Group the rows of a table by all of its columns."""
    yield Step("Grouping …")
    import_clustering()
    from ...core.clusters import cluster

    return cluster(table, method, number, columns=list(table), symmetry=symmetry)  # type: ignore[arg-type]
