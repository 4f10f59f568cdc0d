"""Which device to compute on."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    import torch

UNKNOWN = 2**33  # bytes that are taken as free where the system does not say


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """The device of a name; ``"auto"`` is the first that there is of CUDA, MPS and CPU.

    Raises
    ------
    InputError
        If this machine does not have the device.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() and _mps_can_resample() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        advice = " ".join(filter(None, (unused_card(), 'choose device="auto" or "cpu"')))
        raise InputError(f"This machine cannot compute on {name!r}; {advice}.") from error
    return device


def unused_card() -> str:
    """What to do so that a graphics card is used that PyTorch does not see; empty if there is none."""
    import torch

    if torch.cuda.is_available() or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return ""
    if torch.backends.mps.is_available():
        return "" if _mps_can_resample() else "for Apple's GPU, install PyTorch 2.13 or newer"
    if not (shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()):
        return ""
    if torch.version.cuda is None:
        return "for the NVIDIA card, install PyTorch with CUDA: pytorch.org/get-started"
    return "for the NVIDIA card, update its driver"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that the device's memory is full; CPU and MPS have no class for it."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


def is_card_lost(error: BaseException) -> bool:
    """Whether an error of torch means that a graphics card cannot go on until the program is started anew."""
    words = ("cuda error", "cublas_status", "cudnn_status", "mps backend")
    return any(word in str(error).lower() for word in words)


def free_memory(device: torch.device | None = None) -> int:
    """Bytes that are free on a CUDA card; else on this machine, within what this process may use of it."""
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    try:
        words = Path("/proc/meminfo").read_text().split()
        free = 1024 * int(words[words.index("MemAvailable:") + 1])
        group = Path("/sys/fs/cgroup", Path("/proc/self/cgroup").read_text().rpartition("::/")[2].strip())
    except (OSError, ValueError):  # another system
        return UNKNOWN
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError):  # a group without a limit
            most, used = (int((folder / f"memory.{name}").read_text()) for name in ("max", "current"))
            free = min(free, most - used)
    return max(0, free)


def _mps_can_resample() -> bool:
    """Whether this torch can train a resampled image on Apple's GPU; before 2.13 it cannot."""
    import torch
    from torch.nn.functional import grid_sample

    try:
        image = torch.ones(1, 1, 2, 2, device="mps", requires_grad=True)
        grid_sample(image, torch.zeros(1, 1, 1, 2, device="mps"), padding_mode="border", align_corners=False).backward()
    except RuntimeError:
        return False
    return True


def describe_device(device: torch.device, *, advise: bool = False) -> str:
    """The device in words: ``"CPU, 2 threads"``, and if asked for how to use a card instead, or the name of the GPU."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        threads = torch.get_num_threads()
        advice = unused_card() if advise else ""
        return f"CPU, {threads} thread{'s' * (threads > 1)}" + f" ({advice})" * bool(advice)
    return device.type.upper()
