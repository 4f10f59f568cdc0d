"""Runs a script in two processes, as torchrun would."""

import os
import socket
import subprocess
import sys


def together(script, *arguments):
    """Run a script in two processes, and wait for both."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    shared = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared["PYTHONFAULTHANDLER"] = "1"  # says where a process was that died
    command = [sys.executable, str(script), *map(str, arguments)]
    jobs = [
        subprocess.Popen(command, env={**shared, "RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE, text=True)
        for rank in "01"
    ]
    said = [job.communicate()[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
