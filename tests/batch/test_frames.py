"""Frames done here or by the workers of a Dask cluster: the same tables, whatever happens to the workers."""

import json
import os
import shutil
import signal
from functools import partial

import numpy as np
import pandas as pd
import pytest

import kinds
import napari_vae as nv
from napari_vae import ModelConfig, TrainConfig, detect_atoms, extract_patches, fit, load_run, read, samples
from napari_vae.batch import loop
from napari_vae.batch.encoding import encode_files
from napari_vae.batch.frames import FrameJob, Frames, do_frame
from napari_vae.batch.parts import COUNT, Parts
from napari_vae.batch.scheduler import runner
from napari_vae.batch.tables import detect_files
from napari_vae.cli.app import main
from napari_vae.core.errors import InputError
from napari_vae.io.writing import read_table
from napari_vae.layers.reader import read_layers

FRAMES = 6


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    path = tmp_path_factory.mktemp("movie") / "movie.npy"
    np.save(path, samples.movie("graphene", frames=FRAMES, size=96, seed=3)[0].data)
    return path


@pytest.fixture(scope="module")
def serial(movie):
    return detect_atoms(read(movie))


@pytest.fixture(scope="module")
def run_folder(movie, serial, tmp_path_factory):
    patches = extract_patches(read(movie), serial[serial["frame"] == 0], window=16)
    run = fit(patches, ModelConfig.preset("vae"), TrainConfig(epochs=1, device="cpu"))
    return run.save(tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def scheduler():
    """A client of a scheduler whose one worker is a thread here, which starts in no time."""
    distributed = pytest.importorskip("distributed")
    threads = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "protocol": "tcp"}
    with (
        distributed.LocalCluster(dashboard_address=":0", **threads) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def cluster():
    """A client of two processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield client


def test_equal_jobs_are_done_one_by_one(scheduler):
    jobs = iter([("a", partial(abs, -2))] * 3)
    with runner(scheduler) as do_all:
        assert list(do_all(lambda: next(jobs, None))) == [("a", 2)] * 3


def same(path, table):
    pd.testing.assert_frame_equal(read_table(path), table)


def frames_done(events):
    """How many frames of the movie are done, at each event that says so."""
    return [round(event.stage.fraction * FRAMES) for event in events if event.stage is not None]


def break_off(movie, folder, after):
    """Detect atoms until some frames are done."""

    class Enough(Exception):
        pass

    def stop(event):
        if frames_done([event]) == [after]:
            raise Enough

    with pytest.raises(Enough):
        detect_files([movie], folder, progress=stop)


def test_frame_by_frame_is_what_detection_in_one_call_finds(movie, serial, tmp_path):
    told = []
    (result,) = detect_files([movie], tmp_path, progress=told.append)
    assert (result.facts["frames"], result.facts["atoms"], result.state) == (FRAMES, len(serial), "done")
    same(result.target, serial)
    assert read_table(result.target).attrs["napari_vae"] == serial.attrs["napari_vae"]
    assert frames_done(told) == list(range(FRAMES + 1)), "measured, then frame by frame"
    assert {path.name for path in tmp_path.iterdir()} == {result.target.name, ".napari-vae"}


def test_two_kinds_of_spots_are_found_frame_by_frame_too(tmp_path):
    image = kinds.two_kinds(np.random.default_rng(0))[0]
    np.save(tmp_path / "crowd.npy", np.stack([image, image + 1]))
    (result,) = detect_files([tmp_path / "crowd.npy"], tmp_path, refine=False)
    same(result.target, detect_atoms(read(tmp_path / "crowd.npy"), refine=False))


def test_tables_of_frames_and_of_whole_files_lie_where_their_image_does(movie, tmp_path):
    path = tmp_path / "image.tif"
    nv.write_image(np.load(movie)[0], path, pixel_size=(0.02, 0.03), units="nm")
    (whole,), (frames,) = nv.batch.run(nv.batch.Detect(), path, tmp_path), detect_files([path], tmp_path)
    one, other = (read_layers(str(outcome.target))[0][1] for outcome in (whole, frames))
    assert np.allclose(one["scale"], (0.02, 0.03)) and np.allclose(other["scale"], one["scale"])
    assert one["units"] == other["units"]
    record = {name: value for name, value in frames.facts.items() if name.startswith("pixel")}
    assert record.items() <= whole.facts.items() and len(record) == 3


def test_a_job_that_was_broken_off_goes_on_where_it_was(movie, serial, tmp_path):
    break_off(movie, tmp_path, after=3)
    (parts,) = tmp_path.glob("*.parts")
    assert len(list(parts.glob("*.parquet"))) == 3
    marked = pd.read_parquet(parts / "frame-000002.parquet").assign(score=-1.0)
    marked.to_parquet(parts / "frame-000002.parquet", index=False)
    told = []
    (result,) = detect_files([movie], tmp_path, progress=told.append)
    table = read_table(result.target)
    assert (table["score"] == -1).equals(table["frame"] == 2)  # not done again
    assert len(frames_done(told)) == 1 + FRAMES - 3


def test_frames_done_with_other_options_are_lost_only_when_asked(movie, serial, tmp_path):
    break_off(movie, tmp_path, after=3)
    (refused,) = detect_files([movie], tmp_path, threshold=9.0)
    assert refused.code == 2 and "done with other options or another model; give these again" in str(refused)
    told = []
    (result,) = detect_files([movie], tmp_path, progress=told.append)
    assert len(frames_done(told)) == 1 + FRAMES - 3
    same(result.target, serial)
    break_off(movie, tmp_path / "other", after=3)
    assert not detect_files([movie], tmp_path / "other", threshold=9.0, overwrite=True)[0].failed


def test_a_movie_that_was_moved_meanwhile_goes_on_too(movie, tmp_path):
    (tmp_path / "a").mkdir()
    shutil.copy(movie, tmp_path / "a" / "movie.npy")
    break_off(tmp_path / "a" / "movie.npy", tmp_path, after=3)
    (tmp_path / "a").rename(tmp_path / "b")
    told = []
    assert not detect_files([tmp_path / "b" / "movie.npy"], tmp_path, progress=told.append)[0].failed
    assert len(frames_done(told)) == 1 + FRAMES - 3


def test_a_finished_file_is_not_done_again_and_another_result_not_replaced(movie, tmp_path):
    frame, told = tmp_path / "frame.npy", []
    np.save(frame, np.load(movie)[0])
    (first,) = detect_files([frame], tmp_path)
    written = first.target.stat().st_mtime_ns
    (again,) = detect_files([frame], tmp_path, overwrite=True, progress=told.append)
    assert (again.state, again.facts, frames_done(told)) == ("finished before", first.facts, [])
    assert str(again) == f"frame.npy: finished before; {first.message}"
    (refused,) = detect_files([frame], tmp_path, threshold=9.0)
    assert (refused.code, "--overwrite" in str(refused)) == (2, True)
    assert first.target.stat().st_mtime_ns == written
    (replaced,) = detect_files([frame], tmp_path, threshold=9.0, overwrite=True)
    assert (
        replaced.state == "done"
        and replaced.facts["atoms"] <= first.facts["atoms"]
        and first.target.stat().st_mtime_ns > written
    )
    os.utime(frame, ns=(1, 1))  # a copy
    assert detect_files([frame], tmp_path, threshold=9.0)[0].state == "finished before"
    content = frame.read_bytes()
    frame.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # another image of the same name and size
    assert detect_files([frame], tmp_path, threshold=9.0)[0].failed


def test_a_large_file_is_hashed_once_and_again_only_when_it_may_have_changed(movie, tmp_path, monkeypatch):
    frame, hashed = tmp_path / "frame.npy", []
    np.save(frame, np.load(movie)[0])
    content_of = loop.content_of
    monkeypatch.setattr(loop, "content_of", lambda path: (hashed.append(path), content_of(path))[1])
    for changed, times in ((1, 1), (1, 1), (2, 2), (2, 2)):
        os.utime(frame, ns=(changed, changed))
        assert not detect_files([frame], tmp_path)[0].failed and len(hashed) == times


def test_a_part_that_is_cut_short_is_done_again(movie, serial, tmp_path):
    break_off(movie, tmp_path, after=3)
    part = tmp_path / "movie-atoms.parts" / "frame-000001.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    (result,) = detect_files([movie], tmp_path)
    assert not result.failed
    same(result.target, serial)


def test_parts_whose_removal_was_broken_off_are_not_taken_by_the_next_job(tmp_path, monkeypatch):
    parts = Parts(tmp_path / "a.parts", {"job": 1})
    parts.begin({})
    parts.add(0, pd.DataFrame({"y": [1.0]}))
    with monkeypatch.context() as broken:
        broken.setattr("shutil.rmtree", lambda folder: None)
        Parts(tmp_path / "a.parts", {"job": 2})
    assert not Parts(tmp_path / "a.parts", {"job": 2}).has(0)


@pytest.mark.parametrize("damage", ["numbers of atoms that are words", "a count that is a word"])
def test_a_frame_without_numbers_is_done_again(movie, serial, tmp_path, damage):
    break_off(movie, tmp_path, after=3)
    part = tmp_path / "movie-atoms.parts" / "frame-000001.parquet"
    table = pd.read_parquet(part)
    table.attrs[COUNT] = "three" if damage == "a count that is a word" else len(table)
    table.assign(**({} if damage == "a count that is a word" else {"atom": "a"})).to_parquet(part, index=False)
    (result,) = detect_files([movie], tmp_path)
    assert not result.failed
    same(result.target, serial)


def test_a_table_that_cannot_be_written_fails_alone(movie, tmp_path):
    frame = np.load(movie)[0]
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", frame)
    (tmp_path / "a-atoms.parquet").mkdir()
    bad, good = detect_files([tmp_path / "a.npy", tmp_path / "b.npy"], tmp_path, overwrite=True)
    assert bad.failed and not good.failed


def test_parts_of_another_job_are_not_taken(movie, serial, tmp_path):
    parts = tmp_path / "movie-atoms.parts"
    parts.mkdir()
    (parts / "job.json").write_text(json.dumps({"identity": {"path": "another"}, "basis": {}}))
    serial.iloc[:1].to_parquet(parts / "frame-000001.parquet")
    detect_files([movie], tmp_path)
    same(tmp_path / "movie-atoms.parquet", serial)


@pytest.mark.slow
def test_a_folder_of_files_on_a_cluster_is_what_it_is_here(movie, run_folder, cluster, tmp_path):
    frames = np.load(movie)
    files = [tmp_path / f"frame{i}.npy" for i in range(3)]
    for path, frame in zip(files, frames, strict=False):
        np.save(path, frame)
    np.save(tmp_path / "flat.npy", np.zeros((64, 64)))
    files += [tmp_path / "flat.npy", tmp_path / "missing.npy", movie]
    here = encode_files(run_folder, files, tmp_path / "here")
    there = encode_files(run_folder, files, tmp_path / "there", scheduler=cluster)
    assert [result.failed for result in there] == [False, False, False, True, True, False]
    assert "constant" in there[3].message
    assert "cannot be opened" in there[4].message
    for one, other in zip(here, there, strict=True):
        assert one.message.replace("here", "there") == other.message
        if not one.failed:
            pd.testing.assert_frame_equal(read_table(one.target), read_table(other.target), check_exact=True)


def test_latents_of_a_movie_are_those_of_its_atoms(movie, serial, run_folder, tmp_path):
    (result,) = encode_files(run_folder, [movie], tmp_path)
    told, image = read_table(result.target), read(movie)
    run = load_run(run_folder, device="cpu")
    limits = extract_patches(image, serial[serial["frame"] == 0], window=run.window, levels=run.levels).normalization
    patches = extract_patches(image, serial, window=run.window, normalization=limits, partial=True)
    assert told.index.equals(patches.atoms.index)
    np.testing.assert_allclose(told["z1"], run.encode(patches)["z1"], atol=1e-5)


def test_a_frame_hands_on_what_the_first_one_said_of_all_be_it_empty_or_not(movie, tmp_path):
    frames, path = read(movie).data[:3].astype(float), tmp_path / "bad.npy"
    frames[1] = np.nan
    np.save(path, frames)
    task = Frames({"refine": False})
    first = do_frame(FrameJob(path, 0, task))
    assert first.frames == [0, 1, 2] and first.table is None
    for number, atoms in ((0, True), (1, False), (2, True)):
        done = do_frame(FrameJob(path, 0, task, first.basis, number))
        assert (done.frames, done.basis, done.origin, done.frame) == (first.frames, first.basis, first.origin, number)
        assert (len(done.table) > 20) is atoms and (done.table["frame"] == number).all()


def test_frames_that_show_nothing_are_skipped_and_named(movie, run_folder, tmp_path):
    bad = read(movie).data.astype(float)
    bad[[0, 4]] = np.nan
    bad[5] = 3
    np.save(tmp_path / "bad.npy", bad)
    whole = detect_atoms(bad)
    detected = detect_files([tmp_path / "bad.npy"], tmp_path)[0]
    encoded = encode_files(run_folder, [tmp_path / "bad.npy"], tmp_path)[0]
    same(detected.target, whole)
    for outcome in (detected, encoded):
        assert read_table(outcome.target).attrs["napari_vae"]["skipped_frames"] == [0, 4, 5]
        assert outcome.message.partition(" See")[0].endswith(
            "Frames 0, 4–5 show nothing (not measured, or all of one value) and were left out."
        )


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(movie, serial, cluster, tmp_path):
    killed = []

    def kill(event):
        if frames_done([event]) == [2]:
            killed.append(next(iter(cluster.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    (result,) = detect_files([movie], tmp_path, scheduler=cluster, progress=kill)
    assert killed
    assert killed[0] not in cluster.run(os.getpid).values()
    same(result.target, serial)


def test_the_command_line_takes_a_scheduler(movie, serial, run_folder, scheduler, tmp_path, capsys):
    where = ["--out", str(tmp_path), "--scheduler", scheduler.scheduler.address]
    with pytest.raises(SystemExit) as end:
        main(["detect", str(movie), *where])
    assert end.value.code == 0
    assert f"{len(serial)} atoms on {FRAMES} frames" in capsys.readouterr().out
    same(tmp_path / "movie-atoms.parquet", serial)
    with pytest.raises(SystemExit) as end:
        main(["detect", str(movie), "--polarity", "bright", *where])
    assert end.value.code == 2
    with pytest.raises(SystemExit) as end:
        main(["detect", str(movie), *where, "--overwrite"])
    assert end.value.code == 0 and "finished before" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["encode", str(run_folder), str(movie), "missing.npy", *where])
    assert end.value.code == 2
    assert len(read_table(tmp_path / "movie-latents.parquet")) > 0.5 * len(serial)


def test_no_scheduler_and_unknown_options_are_refused_in_a_sentence(movie, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("napari_vae.batch.scheduler.PATIENCE", 0.5)
    with pytest.raises(InputError, match="No Dask scheduler answers"):
        detect_files([movie], tmp_path, scheduler="tcp://127.0.0.1:9")
    for odd in ("nonsense", "http://127.0.0.1:8787", "", "tcp://host", "tcp://host:port", str(movie), str(tmp_path)):
        with pytest.raises(InputError, match="leads to no Dask scheduler"):  # at once
            detect_files([movie], tmp_path, scheduler=odd)
    with pytest.raises(InputError, match="certificates"):
        detect_files([movie], tmp_path, scheduler="tls://127.0.0.1:9")
    with pytest.raises(InputError, match="no setting"):
        detect_files([movie], tmp_path, spacings=3)


def test_the_file_that_a_scheduler_wrote_is_as_good_as_its_address(movie, serial, scheduler, tmp_path):
    told = {"type": "Scheduler", "address": scheduler.scheduler.address, "workers": {}}
    (tmp_path / "scheduler.json").write_text(json.dumps(told))
    (result,) = detect_files([movie], tmp_path, scheduler=tmp_path / "scheduler.json")
    same(result.target, serial)


def test_options_of_the_detection_reach_the_frames_of_encode_too(movie, run_folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        options = ["--scheduler", "tcp://127.0.0.1:9", "--polarity", "grey", "--out", str(tmp_path)]
        main(["encode", str(run_folder), str(movie), *options])
    assert end.value.code == 2 and "grey" in capsys.readouterr().err  # refused before the scheduler is asked


@pytest.mark.slow
def test_a_scheduler_that_goes_ends_the_command_and_what_is_done_is_kept(movie, serial, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    clients, connect = [], distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda *at, **how: clients.append(connect(*at, **how)) or clients[-1])
    files = [tmp_path / f"{number}.npy" for number in range(6)]
    for path in files:
        np.save(path, np.load(movie)[0])
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    )

    def go(event):
        if frames_done([event]):
            clients[0]._timeout = 0.1  # seconds in which it would come back
            local.close()

    with pytest.raises(InputError, match="The scheduler has gone; start it again"):
        detect_files(files, tmp_path, scheduler=local.scheduler_address, progress=go)
    assert (tmp_path / "0-atoms.parquet").is_file()
    assert sum(result.state == "finished before" for result in detect_files(files, tmp_path)) >= 1
