"""Pictures of every known form are decoded within bounds, the right way up, and told in plain words."""

import contextlib
import random
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from geminid.core.content import Look
from geminid.media.bounds import Bounds
from geminid.media.codes import Code, codes
from geminid.media.colours import colours, in_words, name_of
from geminid.media.faults import Unreadable
from geminid.media.picture import read_picture
from geminid.media.picture_file import FORMATS, PAGES_MAX, open_pictures
from geminid.media.reading import Ask, Passage, Still
from geminid.media.tools import Tools

RED, BLUE = (220, 20, 20), (20, 20, 220)


class Words:
    """Reads always the same."""

    def __init__(self, text=""):
        self.text = text

    def read(self, image):
        return self.text


def read(path, text="", *, eyes=False, resolution=None, **bounds):
    ask = Ask(mime_type="", eyes=eyes, look=Look(resolution=resolution))
    return read_picture(path, ask, Bounds(**bounds), Tools(ocr=Words(text)))


def halves(mode="RGB", size=(80, 40)):
    """A picture that is red on its left and blue on its right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


def saved(path, image, form, **options):
    image.save(path, form, **options)
    return path


def near(pixel, colour):
    return all(abs(a - b) < 40 for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "MPO"])
def test_each_form_is_decoded(tmp_path, form):
    found = open_pictures(saved(tmp_path / "p", halves(), form), Bounds())
    (page,) = found.pages
    assert found.mime_type == FORMATS[form]
    assert (page.mode, page.size) == ("RGB", (80, 40))
    assert near(page.getpixel((10, 20)), RED)
    assert near(page.getpixel((70, 20)), BLUE)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "RGBA", "LA", "I;16", "I", "F", "YCbCr"])
def test_each_mode_becomes_plain_colours(tmp_path, mode):
    grey = Image.new("L", (40, 40), 10)
    grey.paste(240, (20, 0, 40, 40))
    image = (
        Image.fromarray(np.asarray(grey, np.uint16) * 257)
        if mode == "I;16"
        else grey.convert("RGB").convert(mode)
        if mode in ("CMYK", "YCbCr", "RGBA", "P")
        else grey.convert(mode)
    )
    (page,) = open_pictures(saved(tmp_path / "p.tiff", image, "TIFF"), Bounds()).pages
    assert page.mode == "RGB"
    assert page.getpixel((5, 5))[0] < 60
    assert page.getpixel((35, 35))[0] > 190


def test_a_picture_is_turned_as_its_camera_was_held(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    (page,) = open_pictures(saved(tmp_path / "p", halves(), "JPEG", exif=exif), Bounds()).pages
    assert page.size == (40, 80)
    assert near(page.getpixel((20, 10)), RED)
    assert near(page.getpixel((20, 70)), BLUE)


@pytest.mark.parametrize(("ink", "sheet"), [("black", "white"), ("white", "black")])
def test_what_is_transparent_is_put_where_the_ink_is_seen(tmp_path, ink, sheet):
    image = Image.new("RGBA", (60, 60), (0, 0, 0, 0))
    image.paste(ink, (20, 20, 40, 40))
    (page,) = open_pictures(saved(tmp_path / "p", image, "PNG"), Bounds()).pages
    assert page.getpixel((5, 5)) == Image.new("RGB", (1, 1), sheet).getpixel((0, 0))
    assert page.getpixel((30, 30)) == Image.new("RGB", (1, 1), ink).getpixel((0, 0))


def test_the_pages_of_a_tiff_are_read_up_to_a_bound(tmp_path):
    pages = [Image.new("RGB", (20, 20), "red")] * (PAGES_MAX + 2)
    reading = read(saved(tmp_path / "p", pages[0], "TIFF", save_all=True, append_images=pages[1:]), "Words")
    assert reading.text.count("Words") == PAGES_MAX
    assert reading.text.startswith(f"[Image, page 1 of {PAGES_MAX + 2}, 20×20 pixels; colours: ")
    assert reading.notes == (f"of {PAGES_MAX + 2} pages, {PAGES_MAX} were read",)


def test_of_an_animation_the_first_frame_is_read_and_said(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "lime")]
    reading = read(saved(tmp_path / "p", frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert "red 100 %" in reading.text
    assert reading.notes == ("of 3 frames, the first was read",)


def test_a_picture_is_told_with_size_colours_text_and_codes(tmp_path):
    image = np.asarray(
        zxingcpp.write_barcode_to_image(
            zxingcpp.create_barcode("https://example.org/7", zxingcpp.BarcodeFormat.QRCode), scale=4
        )
    )
    sheet = Image.new("RGB", (300, 200), "white")
    sheet.paste(Image.fromarray(image), (40, 40))
    path = saved(tmp_path / "p", sheet, "PNG")
    head = "[Image, 300×200 pixels; colours: white "
    assert read(path, "Scan me").text.startswith(head)
    assert read(path, "Scan me").text.endswith(
        " Text in it:]\nScan me\n[QR Code in the image says: https://example.org/7]"
    )
    assert read(path, "").text.endswith(
        " No text in it.]\n[QR Code in the image says: https://example.org/7]"
    )
    (part,) = read(path).parts
    assert isinstance(part, Passage)
    assert part.modality == "image"
    assert read(path).measures.images == 1


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("QRCode", "QR Code"),
        ("EAN13", "EAN-13"),
        ("Code128", "Code 128"),
        ("DataMatrix", "Data Matrix"),
        ("PDF417", "PDF417"),
        ("Aztec", "Aztec"),
    ],
)
def test_codes_of_the_usual_kinds_are_read(form, kind):
    code = zxingcpp.create_barcode("4006381333931", getattr(zxingcpp.BarcodeFormat, form))
    image = Image.fromarray(np.asarray(zxingcpp.write_barcode_to_image(code, scale=4)))
    sheet = Image.new("RGB", (image.width + 80, image.height + 80), "white")
    sheet.paste(image, (40, 40))
    assert codes(sheet) == [Code(kind, "4006381333931")]


def test_a_model_with_eyes_is_given_pictures_of_bounded_size(tmp_path):
    noisy = Image.fromarray(np.random.default_rng(1).integers(0, 255, (1000, 3000, 3), np.uint8))
    (part,) = read(saved(tmp_path / "p", noisy, "PNG"), eyes=True).parts
    assert isinstance(part, Still)
    shown = Image.open(BytesIO(part.data))
    assert (shown.format, shown.size) == ("JPEG", (1344, 448))
    (part,) = read(saved(tmp_path / "q", halves(size=(3000, 1000)), "PNG"), eyes=True, resolution="low").parts
    shown = Image.open(BytesIO(part.data))
    assert (shown.format, shown.size) == ("PNG", (448, 149))


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "grey"),
        ((255, 0, 0), "red"),
        ((0, 0, 255), "blue"),
        ((0, 128, 0), "green"),
        ((255, 255, 0), "yellow"),
        ((255, 165, 0), "orange"),
        ((139, 69, 19), "brown"),
        ((255, 192, 203), "pink"),
        ((128, 0, 128), "purple"),
        ((0, 0, 100), "dark blue"),
        ((173, 216, 230), "light blue"),
        ((245, 245, 220), "white"),
    ],
)
def test_colours_have_their_everyday_names(rgb, name):
    assert name_of(*rgb) == name


def test_colours_are_told_by_their_share():
    image = Image.new("RGB", (100, 100), "red")
    image.paste("blue", (0, 0, 100, 25))
    image.paste("white", (0, 0, 2, 100))
    assert in_words(colours(image)) == "red 73 %, blue 24 %"


def png(width, height, body=b""):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(200_000, 200_000), (1, 2_000_000_000), (10_001, 10_000)])
def test_a_picture_of_too_many_pixels_is_refused_undecoded(tmp_path, size):
    path = tmp_path / "p"
    path.write_bytes(png(*size))
    with pytest.raises(Unreadable, match="pixels"):
        read(path)


def test_pages_together_have_a_bound_too(tmp_path):
    page = Image.new("RGB", (100, 100), "red")
    path = saved(tmp_path / "p", page, "TIFF", save_all=True, append_images=[page] * 5)
    with pytest.raises(Unreadable, match="pages of the picture have more than 30,000 pixels"):
        read(path, pixels_max=30_000)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "MPO"])
def test_mutated_and_truncated_files_are_decoded_or_refused(tmp_path, form):
    body = BytesIO()
    halves().save(body, form)
    path = tmp_path / "p"
    for seed in range(40):
        chance = random.Random(seed)
        mutated = bytearray(body.getvalue())
        for _ in range(chance.randint(1, 8)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        path.write_bytes(mutated[: chance.choice([len(mutated), chance.randrange(len(mutated))])])
        with contextlib.suppress(Unreadable):
            assert all(page.mode == "RGB" for page in open_pictures(path, Bounds(pixels_max=1_000_000)).pages)


@pytest.mark.parametrize("content", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"P6 2 2 255 " + bytes(12), b"words"])
def test_forms_that_are_not_needed_are_not_opened(tmp_path, content):
    path = tmp_path / "p"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match="not a picture of a known type"):
        read(path)
