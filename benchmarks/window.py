"""How lively the window stays: opening a widget, moving the threshold, the event loop during training, and Stop.

xvfb-run -a -s "-screen 0 1920x1200x24" python benchmarks/window.py
"""

import argparse
import gc
import sys
import time

import napari
import numpy as np
from napari.settings import get_plugin_settings
from qtpy.QtCore import QEventLoop, QObject, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication, QWidget

DOCKS = ("Batch", "Active learning", "Explore latents", "Detect atoms", "Train VAE")
BARS = {"open": 1.0, "marks": 0.2, "stall": 0.1, "stop": 0.5}


class Collections:
    """Longest time of processor that the garbage collector took at once; nothing else runs meanwhile."""

    def __init__(self):
        self.longest = self._begun = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase, info):
        now = time.thread_time()
        if phase == "start":
            self._begun = now
        else:
            self.longest = max(self.longest, now - self._begun)


class Heartbeat(QObject):
    """Longest time between two ticks of a 5 ms timer, by phase, and that of the processor for the thread of the window.

    The first counts what other threads and programs take too.
    """

    def __init__(self):
        super().__init__()
        self.longest, self.busiest, self.phase = {}, {}, "idle"
        self._last, self._used = time.perf_counter(), time.thread_time()
        self._timer = QTimer(self, interval=5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self):
        now, used = time.perf_counter(), time.thread_time()
        self.longest[self.phase] = max(self.longest.get(self.phase, 0), now - self._last)
        self.busiest[self.phase] = max(self.busiest.get(self.phase, 0), used - self._used)
        self._last, self._used = now, used


def wait(seconds):
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def wait_until(condition, limit=120):
    end = time.perf_counter() + limit
    while not condition() and time.perf_counter() < end:
        wait(0.02)


def lattice(size, spacing):
    """An image of a square lattice in two kinds of atoms, and the positions."""
    rng = np.random.default_rng(0)
    grid = np.arange(spacing, size - spacing, spacing)
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    bright = rng.random(len(positions)) < 0.5
    image = np.zeros((size, size), np.float32)
    whole = np.rint(positions).astype(int)
    image[whole[:, 0], whole[:, 1]] = np.where(bright, 1.0, 0.6)
    from scipy.ndimage import gaussian_filter

    image = gaussian_filter(image, spacing / 5)
    return image / image.max() + 0.05 * rng.standard_normal(image.shape).astype(np.float32), positions


def opening(viewer, name, heart):
    heart.phase, begun = name, time.perf_counter()
    dock, opened = viewer.window.add_plugin_dock_widget("napari-vae", name, tabify=True)
    wait_until(lambda: dock.widget() is not opened)
    seconds = time.perf_counter() - begun
    assert "torch" not in sys.modules, "opening a widget imported torch"
    wait(1.5)
    heart.phase = "idle"
    return dock.widget(), seconds


def until_drawn(canvas, act):
    """Seconds that an action takes, and seconds until the canvas is drawn after it."""
    begun = time.perf_counter()
    act()
    acted = time.perf_counter() - begun
    canvas.repaint()
    return acted, time.perf_counter() - begun


def marking(detect):
    """Moving the slider of “Detect atoms” to the right: medians of `until_drawn`."""
    (canvas,) = (w for top in QApplication.topLevelWidgets() for w in top.findChildren(QOpenGLWidget))
    slider, moved = detect.form.threshold.slider, []
    wait_until(lambda: slider.isEnabled() and not detect.preview_job.running)
    for value in np.linspace(slider.value(), slider.maximum(), 22).astype(int)[1:]:
        wait(0.1)
        moved.append(until_drawn(canvas, lambda value=value: slider.setValue(value)))
    return np.median(moved, axis=0)


def looking(detect):
    """Seconds from asking for candidates of the frame in view to their marks."""
    wait_until(lambda: not detect.preview_job.running)
    detect.form.estimate.click()
    begun = time.perf_counter()
    wait_until(lambda: detect.preview_job.running)
    wait_until(lambda: not detect.preview_job.running)
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=20, help="of training before Stop")
    options = parser.parse_args()
    get_plugin_settings(path_dir=None)  # forms as they open for the first time
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    image, positions = lattice(options.size, 14.3)
    viewer.add_image(image, name="lattice")
    viewer.add_points(positions, size=6, name="atoms")
    wait(1)
    rows, heart, collections = [], Heartbeat(), Collections()
    heart.phase = "an empty dock"
    viewer.window.add_dock_widget(QWidget(), name="empty", tabify=True)
    wait(1.5)
    for name in DOCKS:
        widget, seconds = opening(viewer, name, heart)
        rows.append((f"opening {name}, first time, torch not imported", seconds, None, BARS["open"]))
        if name == "Detect atoms":
            rows.append((f"finding the candidates on the frame in view, {options.size}²", looking(widget), None, None))
            wait(1)
            n = len(viewer.layers["preview of atoms"].data)
            updated, drawn = marking(widget)
            rows.append((f"moving the threshold until the marks are updated, {n} marks", updated, None, BARS["marks"]))
            rows.append(("the same until they are drawn", drawn, None, BARS["marks"]))
    heart.phase = "start"
    widget.train()
    wait_until(lambda: "Training" in widget.progress.words.text())
    heart.phase = "training"
    wait(options.seconds)
    heart.phase = "stop"
    begun = time.perf_counter()
    widget.progress.button.click()
    wait_until(lambda: "Training" not in widget.progress.words.text())
    rows.append(("Stop: training ends", time.perf_counter() - begun, None, BARS["stop"]))
    wait_until(lambda: not widget.job.running)
    rows.append(("Stop: all layers are there", time.perf_counter() - begun, None, None))
    for phase, words in {
        **{name: f"longest stall, opening {name}" for name in ("an empty dock", *DOCKS)},
        "start": "longest stall, while torch is imported",
        "training": f"longest stall, during training of {len(positions)} atoms",
        "stop": "longest stall, while the results are made and shown",
    }.items():
        rows.append((words, heart.longest[phase], heart.busiest[phase], BARS["stall"]))
    rows.append(("longest collection of garbage, of all this", collections.longest, collections.longest, BARS["stall"]))
    print("| what | seconds | of the processor, for the window | bar |\n|---|---|---|---|")
    for words, seconds, used, bar in rows:
        print(f"| {words} | {seconds:.3f} | {'' if used is None else f'{used:.3f}'} | {f'≤ {bar}' if bar else ''} |")
    viewer.close()


if __name__ == "__main__":
    main()
