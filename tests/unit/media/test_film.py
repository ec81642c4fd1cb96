"""Of a film come frames at the asked rate, text when it changes, and what is said, in order of time."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from geminid.core.content import Look
from geminid.media import film as film_room
from geminid.media.bounds import Bounds
from geminid.media.faults import Unreadable
from geminid.media.film import read_film
from geminid.media.film_text import OnScreen
from geminid.media.reading import Ask, Passage, Still
from geminid.media.tools import Heard, Tools
from made.films import CONTAINERS, film, turned
from made.sounds import silence, tone, write_sound
from unit.media.test_sound import Listener

COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


class ColourReader:
    """Reads the nearest plain colour of a picture's corner as if it were written there."""

    def __init__(self):
        self.sizes: list[tuple[int, int]] = []

    def read(self, image):
        self.sizes.append(image.size)
        pixel = image.convert("RGB").getpixel((5, 5))
        return min(
            COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(pixel, COLOURS[name], strict=True))
        )


def plain(colour, size=(320, 180)):
    return Image.new("RGB", size, colour)


@pytest.fixture
def scenes(tmp_path):
    listener_says = tone(8.0)
    return film(
        tmp_path / "f.mp4",
        [(3, plain("red")), (2, plain("lime")), (5, plain("blue"))],
        sound=listener_says,
    )


def read(path, *, eyes=False, bounds=None, speech=None, ocr=None, **look):
    tools = Tools(ocr=ocr or ColourReader(), speech=speech)
    return read_film(path, Ask(mime_type="", look=Look(**look), eyes=eyes), bounds or Bounds(), tools)


def test_text_and_speech_are_interleaved_by_time(scenes):
    listener = Listener(Heard(0, 2000, "First."), Heard(4200, 6000, "Second."))
    reading = read(scenes, speech=listener)
    assert [(part.modality, part.text) for part in reading.parts[1:]] == [
        ("video", "[0:00] On screen: red"),
        ("audio", "[0:00] Said: First."),
        ("video", "[0:03] On screen: lime"),
        ("audio", "[0:04] Said: Second."),
        ("video", "[0:05] On screen: blue"),
    ]
    assert (
        reading.parts[0].text
        == "[Video, 0:10, 320 x 180 pixels. Looked at 1 frame a second. Speech in English.]"
    )
    assert reading.kind == "video"
    assert (reading.measures.frames, reading.measures.seen_ms) == (10, 10_000)
    assert abs(reading.measures.heard_ms - 8000) < 100


def test_near_identical_frames_are_looked_at_once(scenes):
    ocr = ColourReader()
    read(scenes, ocr=ocr, fps=5)
    assert len(ocr.sizes) == 3


def test_asked_stretch_and_rate_are_what_is_looked_at(scenes):
    listener = Listener(Heard(200, 900, "Middle."))
    reading = read(scenes, speech=listener, start_ms=2500, end_ms=4500, fps=2.0)
    assert [part.text for part in reading.parts[1:]] == [
        "[0:02] On screen: red",
        "[0:02] Said: Middle.",
        "[0:03] On screen: lime",
    ]
    assert "the stretch from 0:02 to 0:04" in reading.text
    assert "Looked at 2 frames a second" in reading.text
    assert (reading.measures.frames, reading.measures.seen_ms, reading.measures.heard_ms) == (4, 2000, 2000)
    assert len(listener.given[0]) == 2 * 16_000


def test_low_rates_leap_and_see_the_right_moments(tmp_path):
    path = film(tmp_path / "f.mp4", [(9, plain("red")), (10, plain("lime")), (9, plain("blue"))])
    reading = read(path, fps=0.1)
    assert [part.text for part in reading.parts[1:]] == [
        "[0:00] On screen: red\n[0:10] On screen: lime\n[0:20] On screen: blue"
    ]
    assert reading.measures.frames == 3
    assert "one frame every 10 seconds" in reading.text


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_each_container_is_read(tmp_path, suffix):
    path = film(tmp_path / f"f{suffix}", [(2, plain("red")), (2, plain("blue"))], sound=tone(4.0))
    reading = read(path, speech=Listener(Heard(0, 1000, "Hello.")))
    assert "[0:00] On screen: red" in reading.text
    assert "[0:02] On screen: blue" in reading.text or suffix == ".avi"  # whose frames come one late
    assert "[0:00] Said: Hello." in reading.text


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mp4", "libx265"),
        (".webm", "libvpx-vp9"),
        (".mkv", "libsvtav1"),
    ],
)
def test_each_codec_of_today_is_read(tmp_path, suffix, codec):
    scenes = [(1, plain("red")), (1, plain("blue"))]
    reading = read(film(tmp_path / f"f{suffix}", scenes, codec=codec), fps=2.0)
    assert ("On screen: red" in reading.text, "On screen: blue" in reading.text) == (True, True)
    assert reading.measures.frames == 4


def test_bound_on_frames_lowers_the_rate_and_is_told(scenes):
    reading = read(scenes, bounds=Bounds(frames_max=5), fps=10)
    assert reading.measures.frames == 5
    assert reading.notes == (
        "the film was looked at one frame every 2 seconds, since it is long",
        "the sound was not transcribed: no speech model",
    )


def test_text_is_searched_in_a_bounded_number_of_frames_over_the_whole_film(scenes, monkeypatch):
    monkeypatch.setattr(film_room, "LOOKED_AT_MAX", 4)
    ocr = ColourReader()
    reading = read(scenes, ocr=ocr)
    assert len(ocr.sizes) <= 4
    assert "[0:06] On screen: blue" in reading.text
    assert "text on screen was looked for every 2.5 seconds at most, since the film is long" in reading.notes
    assert reading.measures.frames == 10


def test_change_that_comes_too_soon_to_be_searched_is_searched_later(tmp_path, monkeypatch):
    monkeypatch.setattr(film_room, "LOOKED_AT_MAX", 2)
    path = film(tmp_path / "f.mp4", [(1, plain("red")), (9, plain("lime"))])
    reading = read(path)
    assert [part.text for part in reading.parts[1:]] == ["[0:00] On screen: red\n[0:05] On screen: lime"]


def test_film_that_does_not_tell_its_length_is_searched_as_far_as_the_bound_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(film_room, "LOOKED_AT_MAX", 2)
    monkeypatch.setattr(film_room.Film, "asked_s", 0)
    path = film(tmp_path / "f.mp4", [(3, plain("red")), (2, plain("lime")), (5, plain("blue"))])
    reading = read(path)
    assert "blue" not in reading.text
    assert "text on screen was read in 2 frames, until 0:05" in reading.notes
    assert reading.measures.seen_ms == 10_000


def test_without_a_speech_model_the_film_is_still_read_and_says_so(scenes):
    reading = read(scenes)
    assert "was not transcribed, since there is no speech model" in reading.text
    assert "On screen: blue" in reading.text
    assert reading.measures.heard_ms > 0


def test_silent_film_and_film_without_text_say_so(tmp_path):
    path = film(tmp_path / "f.mp4", [(1, plain("red"))])
    reading = read(path, ocr=type("Blind", (), {"read": lambda self, image: ""})())
    assert reading.text == (
        "[Video, 0:01, 320 x 180 pixels. Looked at 1 frame a second. No text was seen on screen. It has no sound.]"
    )
    assert reading.measures.heard_ms == 0


def test_film_where_nobody_speaks_says_so(tmp_path):
    path = film(tmp_path / "f.mp4", [(1, plain("red"))], sound=silence(1.0))
    assert "No speech was heard in it." in read(path, speech=Listener()).text


@pytest.mark.parametrize(("resolution", "side"), [(None, 448), ("low", 448), ("high", 896)])
def test_eyes_are_given_pictures_with_times_instead_of_text(tmp_path, resolution, side):
    path = film(
        tmp_path / "f.mp4", [(1, plain("red", (1280, 720))), (1, plain("blue", (1280, 720)))], sound=tone(2.0)
    )
    ocr = ColourReader()
    reading = read(path, eyes=True, ocr=ocr, speech=Listener(Heard(0, 500, "Look.")), resolution=resolution)
    kinds = [part.text if isinstance(part, Passage) else "picture" for part in reading.parts[1:]]
    assert kinds == ["[0:00]", "picture", "[0:00] Said: Look.", "[0:01]", "picture"]
    pictures = [Image.open(io.BytesIO(part.data)) for part in reading.parts if isinstance(part, Still)]
    assert [(picture.format, picture.size) for picture in pictures] == [
        ("JPEG", (side, side * 720 // 1280))
    ] * 2
    assert ocr.sizes == []


def test_film_that_is_to_be_turned_is_seen_upright(tmp_path):
    lying = Image.new("RGB", (320, 180), "red")
    lying.paste(Image.new("RGB", (160, 180), "blue"), (0, 0))
    reading = read(turned(film(tmp_path / "f.mp4", [(1, lying)])), eyes=True)
    (still,) = (part for part in reading.parts if isinstance(part, Still))
    picture = Image.open(io.BytesIO(still.data))
    assert picture.size == (180, 320)
    above, below = picture.getpixel((90, 40)), picture.getpixel((90, 280))
    assert above[2] > 200 > 60 > above[0]
    assert below[0] > 200 > 60 > below[2]


def test_frames_with_too_many_pixels_are_refused_before_they_are_decoded(scenes):
    with pytest.raises(Unreadable, match=r"frames of 320 x 180 pixels; frames of at most 1000 "):
        read(scenes, bounds=Bounds(pixels_max=1000))


def test_film_longer_than_the_bound_is_refused_and_a_stretch_of_it_read(scenes):
    bounds = Bounds(duration_ms_max=4000)
    with pytest.raises(Unreadable, match="longer than 0:04"):
        read(scenes, bounds=bounds)
    assert read(scenes, bounds=bounds, start_ms=5000, end_ms=9000).measures.seen_ms == 4000


def test_stretch_after_the_end_is_refused(scenes):
    with pytest.raises(Unreadable, match="ends before 1:00"):
        read(scenes, start_ms=60_000)


def test_torn_film_is_read_as_far_as_it_goes(tmp_path):
    path = film(tmp_path / "f.mkv", [(4, plain("red")), (4, plain("blue"))])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    reading = read(path)
    assert "red" in reading.text
    assert 1000 < reading.measures.seen_ms < 8000


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0\x18ftypmp42" + b"\x11" * 300, b"\x1aE\xdf\xa3" + b"\x99" * 500]
)
def test_garbage_is_unreadable(tmp_path, content):
    path = tmp_path / "f.mp4"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        read(path)


def test_container_of_film_with_sound_alone_is_read_as_sound(tmp_path):
    path = write_sound(tmp_path / "s.m4a", tone(2.0))
    reading = read(path, speech=Listener(Heard(0, 500, "Only words.")))
    assert reading.kind == "audio"
    assert "[0:00] Only words." in reading.text


def test_text_is_news_only_when_its_line_was_not_there_before():
    screen = OnScreen()
    assert screen.news("Channel 5\nThe mayor speaks") == "Channel 5\nThe mayor speaks"
    assert screen.news("Channel 5\nThe mayor speak") == ""
    assert screen.news("Channel 5\nHer opponent answers") == "Her opponent answers"
    assert screen.news("") == ""
    assert screen.news("Score 2:1") == "Score 2:1"
    assert screen.news("Score 3:1") == "Score 3:1"
    assert screen.news("Score 3:1\n      Goal\n        by Ann") == "Goal\n  by Ann"
