"""What gpax and AtomAI reach on the cards with 100 labels, in environments of their own.

    python benchmarks/peers/setup.py --only gpax && python benchmarks/peers/setup.py --only atomai
    python benchmarks/dkl/others.py [--seeds 3] [--seconds 240]

Each program is run with several settings (``peers/dkl_peers.py``); the table shows its defaults and its best by the
truth, as medians over labelled subsets, with the seconds of one training and prediction of all cards. Judged as in
``cards_data.py``. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cards_data import FIGURES, LABELLED, CardsData, judge, labelled, load

BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path.append(str(BENCHMARKS))
from peers.setup import ATOMAI, GPAX, Environment  # noqa: E402

PROGRAMS = {"gpax": GPAX, "atomai": ATOMAI}
TARGETS = ("rotation", "shear")


def run(program: str, environment: Environment, data: CardsData, seed: int, seconds: float) -> dict[tuple, dict]:
    """Figures of every target and settings."""
    rows = labelled(data, seed)
    with tempfile.TemporaryDirectory() as folder:
        cards, found = Path(folder) / "cards.npz", Path(folder) / "found.npz"
        np.savez(cards, images=data.images, rows=rows, **{f"y_{name}": data.target(name)[rows] for name in TARGETS})
        script = BENCHMARKS / "peers" / "dkl_peers.py"
        command = [environment.python, "-W", "ignore", script, program, cards, found, "--seconds", str(seconds)]
        subprocess.run(command, check=True)
        figures = {}
        with np.load(found) as arrays:
            for k, record in enumerate(json.loads(str(arrays["records"]))):
                judged = judge(data, record["target"], arrays[f"mean_{k}"], arrays[f"sd_{k}"])
                figures[record["target"], record["settings"]] = judged | {"seconds": record["seconds"]}
    return figures


def lines(program: str, runs: list[dict[tuple, dict]]) -> Iterator[str]:
    """Of each target the defaults and, where another is better, the best settings that all runs had the time for."""
    for target in TARGETS:
        common = [key for key in runs[0] if key[0] == target and all(key in run for run in runs)]
        medians = {key: {f: np.median([run[key][f] for run in runs]) for f in runs[0][key]} for key in common}
        best = min(common, key=lambda key: medians[key]["RMSE"])
        for name, key in {"defaults": common[0], "best": best}.items():
            if name == "best" and best == common[0]:
                continue
            cells = [f"{medians[key][f]:.3g}" if f in medians[key] else "" for f in (*FIGURES, "seconds")]
            yield f"| {program}, {name}: {key[1]} | {target} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="labelled subsets")
    parser.add_argument("--seconds", type=float, default=240.0, help="after which no more settings begin")
    chosen = parser.parse_args()
    data = load()
    print(f"| {LABELLED} labels | target | {' | '.join((*FIGURES, 's'))} |\n|---|---|{'---|' * (len(FIGURES) + 1)}")
    for program, environment in PROGRAMS.items():
        if not environment.is_ready():
            print(f"{program} is left out; run `python benchmarks/peers/setup.py --only {program}` first.")
            continue
        runs = [run(program, environment, data, seed, chosen.seconds) for seed in range(chosen.seeds)]
        print("\n".join(lines(program, runs)), flush=True)


if __name__ == "__main__":
    main()
