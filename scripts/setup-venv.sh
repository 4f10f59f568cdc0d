#!/bin/sh
# Create the virtual environment (first argument; its programs lie in the second) and install into it the package,
# editable and with every extra, and the test tools, in the versions of constraints.txt.
set -eu
venv=$1
bin=$2
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

if ! command -v "$python" >/dev/null 2>&1; then
    say "There is no '$python' here: install Python 3.11 or newer, or name yours: make PYTHON=/path/to/python"
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "$("$python" --version 2>&1) is too old: napari-vae needs Python 3.11 or newer; name yours: make PYTHON=python3.12"
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    say "$("$python" --version 2>&1) lacks its 'venv' module; on Debian and Ubuntu type: sudo apt-get install python3-venv"
    exit 1
fi

# An environment whose interpreter does not run (moved folder, upgraded system) is made anew.
if ! "$bin/python" -c '' 2>/dev/null; then
    say "Creating $venv with $("$python" --version 2>&1)."
    "$python" -m venv --clear "$venv"
fi
say "Installing napari-vae and its tools into $venv (a few minutes the first time)."
# The pip that comes with Python 3.11 does not know dependency groups.
"$bin/python" -m pip install --quiet --upgrade "pip>=25.1"
# torch first and by itself: whatever else asks for it then finds the pinned build in place.
# Compiled are only the modules that are imported, when they are.
"$bin/python" -m pip install --quiet --no-compile -c constraints.txt torch
PYTHONDONTWRITEBYTECODE= "$bin/python" -W ignore -c "import torch" 2>/dev/null &  # compiled while the rest is installed
"$bin/python" -m pip install --quiet --no-compile -c constraints.txt --group test -e ".[all]"
wait
