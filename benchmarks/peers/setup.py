"""Set other programs up in environments of their own, to be measured against.

    python benchmarks/peers/setup.py [--only pyroved|detection|gpax|atomai]

``pyroved`` is timed by ``benchmarks/speed.py``; ``detection`` holds trackpy, scikit-image and Atomap for
``benchmarks/detection.py``; ``gpax`` and ``atomai`` learn deep kernels for ``benchmarks/dkl/others.py``. The
environments are folders next to this file, which git ignores; run again, the script ends at once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE.parents[1] / "constraints.txt"


@dataclass(frozen=True)
class Environment:
    """A virtual environment: the pip installations that make it, and a line of Python that works where it is whole."""

    name: str
    folder: Path
    installations: tuple[tuple[str, ...], ...]
    works: str

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    def is_ready(self) -> bool:
        """Whether everything is there."""
        return self.python.exists() and self._run("-c", self.works) is None

    def set_up(self) -> str | None:
        """Make the environment; returns why that was not possible, or None."""
        if self.is_ready():
            return None
        print(f"Setting {self.name} up in {self.folder} (a few minutes).", file=sys.stderr)
        try:
            venv.create(self.folder, with_pip=True, clear=True)
        except (OSError, subprocess.CalledProcessError) as error:
            return f"there is no room or no venv module for an environment ({error})"
        steps = [("-m", "pip", "install", "--quiet", *packages) for packages in self.installations]
        return next(filter(None, (self._run(*step) for step in (*steps, ("-c", self.works)))), None)

    def _run(self, *arguments: str) -> str | None:
        """Run the interpreter; the last line of its complaint, or None."""
        done = subprocess.run([self.python, *arguments], capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]


# Pyro asks for torch itself, so torch comes first, in the version of constraints.txt: both are timed on the same build.
# Torchvision, which pyroVED needs for its figures alone, is left out: one of another build than torch's fails.
PYROVED = Environment(
    "pyroVED",
    HERE / ".venv",
    (
        ("-c", str(CONSTRAINTS), "torch"),
        ("-c", str(CONSTRAINTS), "pyro-ppl==1.9.1", "matplotlib"),
        ("-c", str(CONSTRAINTS), "--no-deps", "pyroved==0.3.0"),
    ),
    "import importlib.metadata, pyro; importlib.metadata.version('pyroved')",
)
DETECTION = Environment(
    "trackpy, scikit-image and Atomap",
    HERE / ".venv-detection",
    (("trackpy==0.7", "numba", "atomap==0.4.2", "hyperspy", "scikit-image"),),
    "import numba, trackpy, skimage, atomap.api",
)
# gpax 0.1.9 pins nothing. It takes random_haiku_module from numpyro, which 0.21 no longer has; 0.19 and 0.20 need
# xla_pmap_p, which JAX 0.10 no longer has.
GPAX = Environment(
    "gpax",
    HERE / ".venv-gpax",
    (("gpax==0.1.9", "numpyro==0.19.0", "jax==0.7.2", "jaxlib==0.7.2"),),
    "import gpax",
)
# AtomAI asks for torch and torchvision; torch comes first as for pyroVED, and torchvision is left out as there. Six is
# asked for by a package of AtomAI's that does not say so.
ATOMAI = Environment(
    "AtomAI",
    HERE / ".venv-atomai",
    (
        ("-c", str(CONSTRAINTS), "torch"),
        ("-c", str(CONSTRAINTS), "gpytorch==1.15.2", "mendeleev==0.6.1", "six", "matplotlib", "networkx"),
        ("-c", str(CONSTRAINTS), "opencv-python-headless", "pandas", "progressbar2", "scikit-image", "scikit-learn"),
        ("-c", str(CONSTRAINTS), "--no-deps", "atomai==0.8.1"),
    ),
    "import importlib.metadata, gpytorch, six; importlib.metadata.version('atomai')",
)
ENVIRONMENTS = {"pyroved": PYROVED, "detection": DETECTION, "gpax": GPAX, "atomai": ATOMAI}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ENVIRONMENTS)
    only = parser.parse_args().only
    faults = 0
    for environment in [ENVIRONMENTS[only]] if only else ENVIRONMENTS.values():
        fault = environment.set_up()
        if fault is not None:
            faults += 1
            print(f"{environment.name} cannot be set up here and will not be measured: {fault}.", file=sys.stderr)
    return min(faults, 1)


if __name__ == "__main__":
    sys.exit(main())
