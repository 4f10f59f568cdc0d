"""An analysis, finished or of a sample, in a napari window, or a picture of that window where there is no screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.progress import Stage
from ..layers.analysis import analysis_layers, open_analysis
from ..layers.open_runs import keep_run
from ..layers.points import KEY
from ..layers.results import points_name
from ..models.config import TrainConfig
from ..samples.micrographs import Crystals, micrograph
from ..workflow.analyze import analyze
from ..workflow.archive import Analysis

SIZE = 512  # pixels, which hold about a thousand atoms of graphene
EPOCHS = 14  # enough to tell dopants and neighbours of vacancies apart, in a minute on two cores
SCREEN = "1600x1000x24"
XVFB_REMEDY = (
    "sudo apt install xvfb libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libdbus-1-3"
)


def analyze_sample(
    kind: Crystals = "graphene", *, progress: Callable[[Stage], None] | None = None, **training: Any
) -> Analysis:
    """Simulate a micrograph and analyse it with the rotationally invariant model; `training` is for `TrainConfig`.

    Raises
    ------
    InputError
        If there is no sample of that kind.
    """
    train = TrainConfig(epochs=EPOCHS, **training)
    image, _ = micrograph(kind, size=SIZE, seed=train.seed)
    return analyze(image, model="rvae", train=train, progress=progress)


def has_display() -> bool:
    """Whether a window can be shown: on Linux when an X or Wayland display is named."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def show(analysis: Analysis) -> None:
    """Open a napari window with the layers of an analysis and wait until it is closed.

    Raises
    ------
    InputError
        If there is no display, or no Qt for napari to draw with.
    """
    if not has_display():
        raise InputError(
            "There is no display to show the window on; run where there is one, or give --screenshot FILE."
        )
    import napari

    make_viewer(analysis)
    napari.run()


def make_viewer(analysis: Analysis) -> Any:
    """A napari viewer with the layers of an analysis, explored: the atoms coloured by the first latent on top."""
    import napari

    try:
        viewer = napari.Viewer(title=f"napari-vae: {analysis.micrograph.name}", ndisplay=2)
    except ImportError as error:
        raise InputError('The window needs Qt; install it with: pip install "napari-vae[all]"') from error
    opened = open_analysis(analysis)
    for data, options, kind in analysis_layers(analysis):
        if kind == "points":
            options["metadata"][KEY]["run"] = keep_run(viewer, opened)
        getattr(viewer, f"add_{kind}")(data, **options)
    viewer.layers.selection.active = viewer.layers[points_name(analysis.patches)]
    viewer.reset_view()
    viewer.window.add_plugin_dock_widget("napari-vae", "Explore latents")[1].finish()
    return viewer


def save_screenshot(folder: Path, picture: Path) -> str:
    """Open the analysis in `folder` in a window on a virtual screen and save a picture of the window.

    Returns
    -------
    str
        Empty when it worked, else one sentence that says what is missing.
    """
    command = [sys.executable, "-m", "napari_vae", "open", str(folder), "--screenshot", str(picture)]
    if not has_display():
        if not shutil.which("xvfb-run"):
            return f"The picture of the napari window needs a virtual screen; install it with: {XVFB_REMEDY}"
        command = ["xvfb-run", "-a", "-s", f"-screen 0 {SCREEN}", *command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return "The napari window did not open within three minutes, so there is no picture of it."
    if done.returncode or not picture.exists():
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"The napari window could not be drawn ({reason}); Debian may lack: {XVFB_REMEDY}"
    return ""


def take_screenshot(analysis: Analysis, picture: Path) -> None:
    """Draw the window of an analysis on the present display and save a picture of it."""
    viewer = make_viewer(analysis)
    viewer.window.resize(1500, 940)
    viewer.screenshot(str(picture), canvas_only=False, flash=False)
    viewer.close()
