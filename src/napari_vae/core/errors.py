"""Our own exceptions, each carrying one sentence that says what is wrong and what to do."""

from __future__ import annotations

import re

CONTROL = r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"  # and what turns the direction of writing
BEGINNING, END = 270, 120  # characters that are shown of a longer message, the remedy among them


def shown(text: str, kept: str = "") -> str:
    r"""Text of which nothing is an order to a terminal, such as names of files and what files hold may be.

    Examples
    --------
    >>> shown("a\x1b[2J.tif")
    'a\\x1b[2J.tif'
    """
    return re.sub(CONTROL, lambda found: found[0] if found[0] in kept else repr(found[0])[1:-1], text)


class _Sentence(Exception):
    """What it says is shown as it is, in windows and terminals, and bounded, whatever it quotes."""

    def __str__(self) -> str:
        text = shown(super().__str__())
        return text if len(text) <= BEGINNING + END else f"{text[:BEGINNING]} … {text[-END:]}"


class InputError(_Sentence, ValueError):
    """The input cannot be used; the message names the remedy.

    Raised before any long work starts. The window shows the message as a notification, the command
    line prints it and ends with exit code 2.
    """


class ReadError(InputError):
    """A file cannot be read: missing, cut short, of an unknown format, or without an image in it."""


class TrainingError(_Sentence):
    """Training broke off, for example because the device ran out of memory or the loss diverged.

    Deliberately not a ``RuntimeError``: generator workers of napari (superqt) swallow those.
    """
