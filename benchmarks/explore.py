"""How fast a million points are explored: panning, selecting, colouring, pointing, decoding under the cursor.

xvfb-run -a -s "-screen 0 1920x1200x24" python benchmarks/explore.py

In a real napari window, in seconds of the processor that its thread needs. The plot is painted; the canvas is not, as a
graphics card does that elsewhere, but napari hands it all that it draws.
"""

import argparse
import time

import napari
import numpy as np
import pandas as pd
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QApplication

import napari_vae as nv
from napari_vae.core.placement import Placement
from napari_vae.layers.open_runs import OpenRun
from napari_vae.widgets.opening import load_rest

FRAMES, BAR_FRAMES = 60, 30
BAR_SELECT, BAR_DECODE, BAR_POINT, BAR_REACT = 0.1, 0.03, 0.15, 0.5  # s


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
    """Least that the processor needs for one of a few calls."""
    times = []
    for _ in range(repeats):
        begun = time.thread_time()
        call()
        times.append(time.thread_time() - begun)
    return min(times)


def reaction(act):
    """Seconds of the processor for an action and all that follows from it."""
    settle()
    return seconds(lambda: (act(), settle()), 1)


def panning(plot):
    """Frames a second while the view goes to and fro, over more than its own width."""
    (left, right), _ = plot.box.viewRange()
    step = 1.6 * (right - left) / FRAMES
    begun = time.thread_time()
    for frame in range(FRAMES):
        plot.box.translateBy(x=step if frame < FRAMES // 2 else -step)
        QApplication.processEvents()
        plot.plot.viewport().repaint()
    return FRAMES / (time.thread_time() - begun)


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


def clicks(widget, atoms, others):
    """What is done at a click, in this order, and the seconds that it takes."""
    buttons, outline = widget.show_bar.buttons, lasso()
    some = outline + np.array([0.5, 0.3])
    return [
        (what, reaction(act))
        for what, act in (
            ("another layer is chosen, which no column has coloured yet", lambda: widget.layer_box.choose(atoms)),
            ("one that has been coloured is chosen", lambda: widget.layer_box.choose(others)),
            ("and the first again", lambda: widget.layer_box.choose(atoms)),
            ("colours by numbers", lambda: buttons["z1"].click()),
            ("colours by classes", lambda: buttons["class"].click()),
            ("Image", lambda: buttons["Image"].click()),
            ("Image again", lambda: buttons["Image"].click()),
            ("Atoms", lambda: buttons["Atoms"].click()),
            ("colours after Atoms", lambda: buttons["z2"].click()),
            ("lasso: the others fade on plot and canvas", lambda: widget.plot.select_within(outline)),
            ("another lasso", lambda: widget.plot.select_within(some)),
            ("colours, with a selection", lambda: buttons["class"].click()),
            ("a class for the selection", lambda: widget.classes.assign_button.click()),
            ("Undo", widget.classes.undo),
            ("Clear", lambda: widget.tools.clear.click()),
            ("one point is selected", lambda: widget.quality.row_chosen.emit(7)),
            ("Clear again", lambda: widget.tools.clear.click()),
        )
    ]


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
    viewer.add_image(np.random.default_rng(0).random((4096, 4096), np.float32), name="image")
    places, features = points(n)
    others = viewer.add_points(places[::100], features=features[::100].reset_index(drop=True), size=3, name="others")
    (canvas,) = (w for top in QApplication.topLevelWidgets() for w in top.findChildren(QOpenGLWidget))
    settle()
    canvas.setUpdatesEnabled(False)
    opened = seconds(lambda: viewer.window.add_plugin_dock_widget("napari-vae", "Explore latents")[1].finish(), 1)
    load_rest()  # as it is in the background where a dock opens by itself
    widget = viewer.window.dock_widgets["Explore latents (napari-vae)"]
    atoms = viewer.add_points(places, features=features, size=3, name="atoms")
    widget.classes.name.setText("odd")
    clicked = clicks(widget, atoms, others)
    plot = widget.plot
    frames = panning(plot)
    settle()
    outline = lasso()
    chosen = seconds(lambda: plot.select_within(outline))
    rows = plot.selection
    settle()
    asked = reaction(lambda: widget.link.select(rows, all_of_them=True))
    widget.tools.clear.click()
    settle()
    hovered, pointed = hovering(widget), pointing(viewer, widget)
    decoded = decoding(widget)
    print(f"{n} points, {len(rows)} of them in the lasso\n\n| what | measured | bar | met |\n|---|---|---|---|")
    for what, value, unit, bar, met in (
        ("panning", frames, "frames/s", f"≥ {BAR_FRAMES}", frames >= BAR_FRAMES),
        ("lasso of 150 corners: points selected and shown", chosen, "s", f"≤ {BAR_SELECT}", chosen <= BAR_SELECT),
        ("atom under the cursor of the plot, to the crosshair", hovered, "s", f"≤ {BAR_POINT}", hovered <= BAR_POINT),
        ("atom under the cursor of the image, to its mark", pointed, "s", f"≤ {BAR_POINT}", pointed <= BAR_POINT),
        ("picture under the cursor", decoded, "s", f"≤ {BAR_DECODE}", decoded <= BAR_DECODE),
        *((what, value, "s", f"≤ {BAR_REACT}", value <= BAR_REACT) for what, value in clicked),
        ("opening the dock for the first time", opened, "s", "", None),
        ("selection handed to napari's layer, when asked for", asked, "s", "", None),
    ):
        print(f"| {what} | {value:.3g} {unit} | {bar} | {'' if met is None else 'yes' if met else '**no**'} |")
    viewer.close()


if __name__ == "__main__":
    main()
