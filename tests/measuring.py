"""The benchmark of detection as a module, so that tests judge by the very measures that the documentation quotes."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import detection

__all__ = ["detection"]
