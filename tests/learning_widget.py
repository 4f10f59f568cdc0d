"""What tests of active learning in a window share."""

from training_widget import LONG, of_kind


def quick(widget, target="strength"):
    widget.form.data.window_px.setValue(11)
    widget.form.kernel.model = lambda: {"network": "linear", "ensemble": 1, "steps": 40, "warm_steps": 5}
    widget.form.target.target.choose(target)
    return widget


def done(qtbot, widget, action, *args):
    with qtbot.waitSignal(widget.job.ended, timeout=LONG):
        action(*args)


def layer_of(viewer, kind):
    """The newest layer of a kind."""
    return of_kind(viewer, kind)[-1]
