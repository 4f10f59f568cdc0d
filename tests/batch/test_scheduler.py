"""A scheduler of Dask beside the work: what it logs, and one that has gone."""

import subprocess
import sys

import pytest

from napari_vae.batch.scheduler import runner
from napari_vae.core.errors import InputError

LOGGING = """
import logging
from napari_vae.cli.terminal import no_logs, progress_bars

def call():
    import distributed
    for name in ("asyncio", "distributed", "distributed.client", "distributed.core"):
        try:
            raise OSError("Timed out trying to connect")
        except OSError:
            logging.getLogger(name).exception("the scheduler has gone")

with no_logs(), progress_bars():
    call()
"""


def test_the_command_line_shows_no_log_of_dask():
    pytest.importorskip("distributed")
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    assert not done.stderr.strip()


def test_a_client_that_closed_itself_before_the_next_job_is_the_same_sentence():
    distributed = pytest.importorskip("distributed")
    local = distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0", protocol="tcp")
    client = distributed.Client(local.scheduler_address, set_as_default=False)

    def next_job():
        client.close()
        return "a", int

    with local, runner(client) as do_all, pytest.raises(InputError, match="The scheduler has gone; start it again"):
        list(do_all(next_job))
