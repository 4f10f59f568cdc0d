"""Where the processes of one training meet: what ``torchrun`` says in the environment, checked."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..core.errors import InputError
from ..core.settings import Positive, checked

REMEDY = "start the processes with torchrun, or unset WORLD_SIZE"


@dataclass(frozen=True)
class Rendezvous:
    """The place of one process among all of a training.

    Parameters
    ----------
    size, rank : int
        How many processes there are, and the number of this one, from 0.
    local : int
        Its number on this machine.
    """

    size: int = 1
    rank: int = 0
    local: int = 0

    @classmethod
    def from_environment(cls) -> Rendezvous:
        """What the environment says; one process alone if it says nothing.

        Raises
        ------
        InputError
            If a value is missing or makes no sense.
        """
        size = _number("WORLD_SIZE", 1, 10**6, "1")
        if size == 1:
            return cls()
        rank, port = _number("RANK", 0, size - 1), _number("MASTER_PORT", 1, 2**16 - 1)
        address = os.environ.get("MASTER_ADDR", "")
        try:
            socket.getaddrinfo(address or "MASTER_ADDR is not set", port)
        except (OSError, UnicodeError) as error:
            raise InputError(f"MASTER_ADDR is {address!r}, where no machine is found; {REMEDY}.") from error
        return cls(size, rank, _number("LOCAL_RANK", 0, size - 1, "0"))

    def connect(self, wait: float) -> Any:
        """Meet the others; gives the store of torch through which they talk before they are connected.

        Raises
        ------
        InputError
            If not all of them have come after so many seconds.
        """
        from torch.distributed.rendezvous import rendezvous

        longest = timedelta(seconds=checked("wait", wait, Positive))
        try:
            store: Any = next(iter(rendezvous("env://", timeout=longest)))[0]
            store.set(f"here/{self.rank}", "")
            store.wait([f"here/{rank}" for rank in range(self.size)], longest)
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f"The {self.size} processes of this training did not find each other within {wait:g} s; {REMEDY}."
            ) from error
        return store


def _number(name: str, least: int, most: int, default: str = "") -> int:
    text = os.environ.get(name, default)
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise InputError(f"{name} is {text!r}, not a whole number of {least} … {most}; {REMEDY}.")
    return value
