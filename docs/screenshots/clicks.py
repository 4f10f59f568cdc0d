"""From an image to its figures with mouse and keyboard, by what stands on the screen: counts the clicks and seconds.

xvfb-run -a -s "-screen 0 1920x1200x24" python docs/screenshots/clicks.py image.dm3

Once with a sample, and once with an image that is opened from disk; every setting is as it is found. Names of files are
typed. Fails if there are more clicks than may be, or if it takes longer.
"""

import argparse
import tempfile
import time
from pathlib import Path

import napari
from hands import CLICKED, choose, dock_named, press, type_path
from napari.settings import get_plugin_settings
from pictures import SIZE, shoot, wait

SAMPLE = "Graphene, simulated STEM image"
MOST_CLICKS, MOST_SECONDS = 9, 90


def until(ready, limit=600):
    """Wait until something holds that the user sees."""
    end = time.perf_counter() + limit
    while not ready():
        assert time.perf_counter() < end, "it took too long"
        wait(0.05)


def to_figures(viewer, folder):
    """Detect, train, explore and save, as the primary buttons lead; gives the names of the figures."""
    choose("Plugins", "napari-vae", "Detect atoms (napari-vae)")
    detect = dock_named("DetectWidget")
    press(detect, "Detect")
    until(lambda: not detect.job.running)
    press(detect, "Next: Train")
    train = dock_named("TrainWidget")
    press(train, "Train")
    until(lambda: not train.job.running)
    press(train, "Next: Explore")
    explore = dock_named("ExploreWidget")
    type_path(folder)
    press(explore, "Save figures …")
    until(lambda: "saved in" in explore.figures.progress.words.text())
    return sorted(path.name for path in Path(folder).glob("*.png"))


def measure(what, begin, shot):
    """Go all the way in a new window; gives the row of the table, and whether it is short enough."""
    get_plugin_settings(path_dir=None)  # forms as they open for the first time
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    wait(1)
    CLICKED.clear()
    begun, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        begin()
        until(lambda: len(viewer.layers))
        figures = to_figures(viewer, folder)
    seconds, worked = time.perf_counter() - begun, time.process_time() - worked
    if shot is not None:
        shoot(shot / f"clicks-{what.split()[0]}.png")
    viewer.close()
    print(f"| {what} | {len(CLICKED)} | {seconds:.0f} | {worked:.0f} | {len(figures)} | {', '.join(CLICKED)} |")
    return len(CLICKED) <= MOST_CLICKS and seconds <= MOST_SECONDS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path, help="of a microscope; of PNG and TIFF napari asks who reads them")
    parser.add_argument("--shots", type=Path, help="folder for a picture of each end")
    parser.add_argument("--only", choices=("sample", "file"), help="one of the two")
    options = parser.parse_args()
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)

    def open_file():
        type_path(options.image.resolve())
        choose("File", "Open File(s)...")

    def open_sample():
        choose("File", "Open Sample", "napari-vae", SAMPLE)

    print(f"at most {MOST_CLICKS} clicks and {MOST_SECONDS} s\n")
    print("| from | clicks | seconds | of processor | figures | clicked |\n|---|---|---|---|---|---|")
    ways = {"sample": ("sample", open_sample), "file": (f"file {options.image.name}", open_file)}
    passed = [measure(*way, options.shots) for kind, way in ways.items() if options.only in (None, kind)]
    raise SystemExit(not all(passed))


if __name__ == "__main__":
    main()
