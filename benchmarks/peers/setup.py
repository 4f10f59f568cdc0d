"""Set pyroVED up in an environment of its own, to be timed against: ``python benchmarks/peers/setup.py``.

The environment is ``benchmarks/peers/.venv``, which git ignores; run again, the script ends at once. Pyro asks for
torch itself, so torch comes first, in the version of ``constraints.txt``: both are timed on the same build.
Torchvision, which pyroVED needs for its figures alone, is left out: one of another build than torch's fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
CONSTRAINTS = HERE.parents[1] / "constraints.txt"
PEER = "pyroved==0.3.0"
NEEDS = ("pyro-ppl==1.9.1", "matplotlib")  # all that it declares but torchvision
WORKS = "import importlib.metadata, pyro; importlib.metadata.version('pyroved')"


def is_ready() -> bool:
    """Whether pyroVED and what it trains with are in their environment."""
    return PYTHON.exists() and _python("-c", WORKS) is None


def set_up() -> str | None:
    """Make the environment; returns why that was not possible, or None."""
    if is_ready():
        return None
    print(f"Setting pyroVED up in {ENVIRONMENT} (a few minutes).", file=sys.stderr)
    try:
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"there is no room or no venv module for an environment ({error})"
    pip = ("-m", "pip", "install", "--quiet", "-c", str(CONSTRAINTS))
    steps = ((*pip, "torch"), (*pip, *NEEDS), (*pip, "--no-deps", PEER), ("-c", WORKS))
    return next(filter(None, (_python(*step) for step in steps)), None)


def _python(*arguments: str) -> str | None:
    """Run the environment's interpreter; the last line of its complaint, or None."""
    done = subprocess.run([PYTHON, *arguments], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    fault = set_up()
    if fault is not None:
        print(f"pyroVED cannot be set up here, so it will not be timed: {fault}.", file=sys.stderr)
    return 0 if fault is None else 1


if __name__ == "__main__":
    sys.exit(main())
