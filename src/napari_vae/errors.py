"""Our own exceptions, each carrying one sentence that says what is wrong and what to do."""

from __future__ import annotations


class InputError(ValueError):
    """The input cannot be used; the message names the remedy.

    Raised before any long work starts. The window shows the message as a notification, the command
    line prints it and ends with exit code 2.
    """


class ReadError(InputError):
    """A file cannot be read: missing, cut short, of an unknown format, or without an image in it."""


class TrainingError(Exception):
    """Training broke off, for example because the device ran out of memory or the loss diverged.

    Deliberately not a ``RuntimeError``: generator workers of napari (superqt) swallow those.
    """
