"""How fast a million points are explored: panning, selecting, colouring, pointing, decoding under the cursor.

xvfb-run -a -s "-screen 0 1920x1200x24" python benchmarks/explore.py

In a real napari window with software rendering. A frame of panning is counted when the plot has been painted.
"""

import argparse
import time

import napari
import numpy as np
import pandas as pd
from qtpy.QtWidgets import QApplication

import napari_vae as nv
from napari_vae.analysis.coloring import color_by
from napari_vae.core.placement import Placement
from napari_vae.layers.open_runs import OpenRun

FRAMES, BAR_FRAMES = 60, 30
BAR_SELECT, BAR_DECODE, BAR_POINT, BAR_COLOUR = 0.1, 0.03, 0.15, 0.5  # s


def points(n):
    """Three groups in a plane of latents, places on an image, and a class."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, n)
    z = rng.normal(0, 0.5, (n, 2)) + np.array([[0, 0], [2, 0], [1, 2]])[kind]
    features = pd.DataFrame({"z1": z[:, 0], "z2": z[:, 1], "class": pd.Categorical(kind.astype(str))})
    return rng.uniform(0, 4096, (n, 2)), features


def settle():
    for _ in range(15):
        QApplication.processEvents()
        time.sleep(0.02)


def seconds(call, repeats=5):
    """Shortest wall time of a few calls."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


def panning(plot):
    """Frames a second while the view goes to and fro, over more than its own width."""
    (left, right), _ = plot.box.viewRange()
    step = 1.6 * (right - left) / FRAMES
    begun = time.perf_counter()
    for frame in range(FRAMES):
        plot.box.translateBy(x=step if frame < FRAMES // 2 else -step)
        QApplication.processEvents()
        plot.plot.viewport().repaint()
    return FRAMES / (time.perf_counter() - begun)


def lasso():
    turn = np.linspace(0, 2 * np.pi, 150, endpoint=False)
    return np.column_stack([np.cos(turn), np.sin(turn)]) * (1 + 0.3 * np.sin(5 * turn))[:, None]


def decoding(widget):
    """Seconds from the cursor to the picture, with a model of two latents and rotation on windows of 32 pixels."""
    image, _ = nv.samples.micrograph("graphene", size=300)
    patches = nv.extract_patches(image, nv.detect_atoms(image), window=32)
    run = nv.fit(patches, nv.ModelConfig.preset("rvae"), nv.TrainConfig(epochs=1))
    widget.manifold.set_run(OpenRun(run, patches, Placement.of_micrograph(image)))
    widget.manifold.set_axes("z1", "z2")
    widget.sections["Manifold"].expand(animate=False)
    settle()
    places = iter(np.linspace(-1, 1, 100))
    return seconds(lambda: widget.manifold.show_at(next(places), 0.3), 50)


def hovering(widget):
    """Seconds from the cursor over a point of the plot to the crosshair on the image and the atom in the strip."""
    rows = iter(np.random.default_rng(1).integers(0, len(widget.table), 100))

    def hover():
        widget.plot.hovered.emit(int(next(rows)))
        widget.pointer.crosshair.repaint()
        widget.strip.repaint()

    hover()
    return seconds(hover, 30)


def canvas_colours(widget):
    """Seconds of processor from a click on the Show bar until all that follows is done; not until it is drawn."""
    names = iter(("z1", "class", "z2"))

    def colour():
        widget.show_bar.buttons[next(names)].click()
        QApplication.processEvents()

    colour()  # rings become discs
    begun = time.process_time()
    colour()
    return time.process_time() - begun


def pointing(viewer, widget):
    """Seconds from the cursor over an atom of the image to its mark on the plot."""
    viewer.mouse_over_canvas = True
    places = iter(np.random.default_rng(1).uniform(0, 4096, (100, 2)))

    def point():
        viewer.cursor.position = tuple(next(places))
        widget.plot.plot.viewport().repaint()

    return seconds(point, 30)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    n = parser.parse_args().points
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(1366, 768)
    places, features = points(n)
    viewer.add_points(places, features=features, size=3, name="atoms", visible=False)
    begun = time.perf_counter()
    widget = viewer.window.add_plugin_dock_widget("napari-vae", "Explore latents")[1]
    opened = time.perf_counter() - begun
    settle()
    plot = widget.plot
    frames = panning(plot)
    settle()
    outline = lasso()
    chosen = seconds(lambda: plot.select_within(outline))
    painted = canvas_colours(widget)
    recolour = seconds(lambda: (plot.set_colors(color_by(features["z1"]).rgba), QApplication.processEvents()), 3)
    settle()
    rows = plot.selection
    begun = time.perf_counter()
    widget.link.select(rows)
    linked = time.perf_counter() - begun
    hovered, pointed = hovering(widget), pointing(viewer, widget)
    decoded = decoding(widget)
    print(f"{n} points, {len(rows)} of them selected\n\n| what | measured | bar | met |\n|---|---|---|---|")
    for what, value, unit, bar, met in (
        ("panning", frames, "frames/s", f"≥ {BAR_FRAMES}", frames >= BAR_FRAMES),
        ("lasso of 150 corners: points selected and shown", chosen, "s", f"≤ {BAR_SELECT}", chosen <= BAR_SELECT),
        ("atom under the cursor of the plot, to the crosshair", hovered, "s", f"≤ {BAR_POINT}", hovered <= BAR_POINT),
        ("atom under the cursor of the image, to its mark", pointed, "s", f"≤ {BAR_POINT}", pointed <= BAR_POINT),
        ("picture under the cursor", decoded, "s", f"≤ {BAR_DECODE}", decoded <= BAR_DECODE),
        ("colouring the plot by another column", recolour, "s", "", None),
        ("colouring plot and canvas by another column", painted, "s", f"≤ {BAR_COLOUR}", painted <= BAR_COLOUR),
        ("selection handed to napari's Points layer", linked, "s", "", None),
        ("opening the widget on these points", opened, "s", "", None),
    ):
        print(f"| {what} | {value:.3g} {unit} | {bar} | {'' if met is None else 'yes' if met else '**no**'} |")
    viewer.close()


if __name__ == "__main__":
    main()
