"""A task for tests of batches that writes how large a file is, and what they ask of outcomes and folders."""

from dataclasses import dataclass, field

import napari_vae as nv
from napari_vae.batch.outcomes import Found
from napari_vae.core.progress import Stage

NAMES = [f"{letter}.npy" for letter in "abcd"]


@dataclass
class Count:
    """A task that writes how large the file is, and remembers what it was asked to do."""

    unit: str = "bytes"
    bad: str = ""
    seen: list = field(default_factory=list)

    name = "count"
    stages = ("look", "write")

    def prepare(self, n_files):
        assert n_files

    def settings(self):
        return {"unit": self.unit}

    def targets(self, places, out):
        return [place.with_suffix(".txt") for place in places]

    def check(self, target):
        assert not target.is_dir()

    def work(self, path, target, say):
        self.seen.append(path.name)
        say(Stage("look"))
        if path.name == self.bad:
            raise nv.InputError("It is <too> odd; count another one.")
        size = path.stat().st_size
        say(Stage("write"))
        target.write_text(f"{size} {self.unit}")
        return Found(f"{size} {self.unit}", {"size": size, "share": size / 7, "remark": None})


def states(outcomes):
    return [outcome.state for outcome in outcomes]


def contents(folder):
    """Bytes of everything in a folder but hidden files."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
