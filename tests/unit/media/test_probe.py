"""A probe tells what a file is and how long it lasts, and opens nothing but that file."""

import pytest

from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.probe import probe
from made.hostile_sounds import CONCAT, PLAYLIST, SECRET_FILE, id3
from made.seeds import seeds
from made.sounds import tone, write_sound


def probed(folder, name):
    mime_type, body = seeds()[name]
    path = folder / "file"
    path.write_bytes(body)
    return probe(path, mime_type, Bounds())


@pytest.mark.parametrize(
    ("name", "kind", "duration_ms"),
    [
        ("film.mp4", "video", 1000),
        ("film.mkv", "video", 1000),
        ("sound.wav", "audio", 500),
        ("sound.mp3", "audio", 500),
    ],
)
def test_film_and_sound_have_a_duration(tmp_path, name, kind, duration_ms):
    found = probed(tmp_path, name)
    assert found.kind == kind
    assert abs(found.duration_ms - duration_ms) < 150


@pytest.mark.parametrize(
    ("name", "kind"), [("png", "image"), ("pdf", "pdf"), ("docx", "office"), ("txt", "text")]
)
def test_all_else_has_none(tmp_path, name, kind):
    found = probed(tmp_path, name)
    assert (found.kind, found.duration_ms) == (kind, None)


@pytest.mark.parametrize("listed", [CONCAT, PLAYLIST])
def test_a_list_of_files_behind_a_tag_is_not_followed(tmp_path, listed):
    write_sound(tmp_path / SECRET_FILE, tone(1.0))
    (tmp_path / "list").write_bytes(id3(listed))
    with pytest.raises(Unreadable, match="cannot be opened"):
        probe(tmp_path / "list", "audio/mpeg", Bounds())


def test_a_torn_film_is_refused(tmp_path):
    body = seeds()["film.mp4"][1]
    (tmp_path / "torn").write_bytes(body[: len(body) // 2])
    with pytest.raises(Unreadable, match="cannot be opened"):
        probe(tmp_path / "torn", "video/mp4", Bounds())
