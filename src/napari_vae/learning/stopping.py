"""When an exploration has seen enough."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stopping:
    """Rules that end an exploration before its budget is spent; each is off while it is ``None``.

    Parameters
    ----------
    value : float, optional
        The best measurement reaches this; for a goal that is a number: comes within this distance of it.
    patience : int, optional
        So many measurements without a better one.
    sd : float, optional
        The largest predicted standard deviation of an open candidate is below this, in units of the target.
    gain : float, optional
        The largest expected improvement of an open candidate is below this, in units of the target.
    """

    value: float | None = None
    patience: int | None = None
    sd: float | None = None
    gain: float | None = None
