"""What the tests of Train VAE share: a quick training, and waiting for its result."""

TURNED = {"scale": (0.02, 0.02), "translate": (5.0, -3.0), "rotate": 30, "units": ("nm", "nm")}
LONG = 90_000  # milliseconds


def quick(widget, epochs=3):
    widget.model.epochs.setValue(epochs)
    widget.model.choose("vae")
    return widget


def finish(qtbot, widget):
    with qtbot.waitSignal(widget.delivery.done, timeout=LONG):
        pass


def kinds(viewer):
    return [layer.metadata.get("napari_vae", {}).get("kind") for layer in viewer.layers]
