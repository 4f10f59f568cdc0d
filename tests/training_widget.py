"""What tests in a window share: a quick training, and waiting for what comes, however busy the machine is."""

from qtpy.QtCore import QTimer

TURNED = {"scale": (0.02, 0.02), "translate": (5.0, -3.0), "rotate": 30, "units": ("nm", "nm")}
LONG = 120_000  # milliseconds


def quick(widget, epochs=10):
    """A short training on windows of about one atom, which redraws nine tenths of what varies among them."""
    widget.data.window_px.setValue(11)
    widget.model.training["epochs"].setValue(epochs)
    widget.model.choose("vae")
    return widget


def finish(qtbot, widget):
    with qtbot.waitSignal(widget.delivery.done, timeout=LONG):
        pass
    qtbot.waitUntil(lambda: not widget.job.running, timeout=LONG)


def add_layer(qtbot, widget, kind):
    """Choose an entry of “Add as layer”."""
    bar = widget.show_bar
    (action,) = (action for action in bar.menu.actions() if action.data() == kind)
    with qtbot.waitSignal(bar.maker.job.ended, timeout=LONG):
        action.trigger()


def settle(qtbot, widget):
    """Wait until nothing is put off any more: changes that a widget gathers, and pictures that it draws later."""
    timers = [timer for timer in widget.findChildren(QTimer) if timer.isSingleShot()]
    qtbot.waitUntil(lambda: not any(timer.isActive() for timer in timers), timeout=LONG)


def kinds(viewer):
    return [layer.metadata.get("napari_vae", {}).get("kind") for layer in viewer.layers]


def duplicate(viewer, layer):
    """What napari's Duplicate makes of a layer."""
    from napari.layers import _layer_actions

    viewer.layers.selection = {layer}
    _layer_actions._duplicate_layer(viewer.layers)
    return viewer.layers[viewer.layers.index(layer) + 1]


def of_kind(viewer, kind):
    return [layer for layer in viewer.layers if layer.metadata.get("napari_vae", {}).get("kind") == kind]
