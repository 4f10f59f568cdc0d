"""Dialogs for files and folders: they begin where the last one ended, and offer names after the image."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.utils.history import get_open_history, get_save_history, update_open_history, update_save_history
from qtpy.QtWidgets import QFileDialog, QInputDialog, QWidget

Image = Callable[[], Any | None]  # gives the image layer that names and folders are after, if there is one


def no_image() -> None:
    """There is none."""


def choose_folder(parent: QWidget, title: str, start: str = "") -> str:
    """The folder that the user chooses; empty if none."""
    folder = QFileDialog.getExistingDirectory(parent, title, start or get_open_history()[0])
    if folder:
        update_open_history(folder)
    return str(folder)


def choose_files(parent: QWidget, title: str, filters: str) -> list[str]:
    """The files that the user chooses."""
    names, _ = QFileDialog.getOpenFileNames(parent, title, get_open_history()[0], filters)
    if names:
        update_open_history(names[0])
    return list(names)


def choose_target(parent: QWidget, title: str, image: Any | None) -> str:
    """The folder that results are put into, beside the image at first; empty if none."""
    folder = QFileDialog.getExistingDirectory(parent, title, str(folder_beside(image)))
    if folder:
        update_save_history(f"{folder}/")
    return str(folder)


def choose_new(parent: QWidget, title: str, name: str, image: Any | None, filters: str = "") -> tuple[str, str]:
    """The path that something new is saved under, and the filter that was chosen; empty if none."""
    stem = "" if image is None else re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", image.name) + "-"
    path, chosen = QFileDialog.getSaveFileName(parent, title, str(folder_beside(image) / f"{stem}{name}"), filters)
    if path:
        update_save_history(path)
    return str(path), str(chosen)


def ask_name(parent: QWidget, title: str, question: str, offered: str) -> str:
    """The name that the user types, or agrees to; empty if none."""
    name, agreed = QInputDialog.getText(parent, title, question, text=offered)
    return str(name).strip() if agreed else ""


def folder_beside(image: Any | None) -> Path:
    """The folder of the file of an image; where there is none, that in which something was saved last."""
    path = None if image is None else image.source.path
    folder = None if path is None else Path(path).parent
    return folder if folder is not None and folder.is_dir() else Path(get_save_history()[0])
