"""Pictures, sound, film and documents, asked about through the SDK: what was read of them, and the answer.

What was read is checked with the scripted engine, which gives the prompt back; answers are the embedded
model's, from a few labels where it can be trusted. Each question with its upload stays below a minute.
"""

import random
import time
from pathlib import Path

import pytest
from google import genai
from google.genai import types
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from made.films import card, film
from made.pictures import INVOICE, drawn, invoice, prose
from made.sounds import speech, spoken
from serving import serving

pytestmark = pytest.mark.e2e

MODEL = "gemini-3.1-flash-lite"
SECONDS_MAX = 60
ANNOUNCEMENT = (
    "Good morning. The delivery arrives on Friday. Anna Miller will open the gate and sign the paper."
)
SECRET = "The secret code of the safe in the cellar is 48213."


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def reading(folder):
    """A server whose answers are the prompts that entered the engine."""
    with serving(folder, "--model", "scripted", "--pull") as server:
        yield client(server)


@pytest.fixture(scope="module")
def answering(folder):
    """A server with the embedded model, where what does not fit is folded."""
    own = folder / "answering"
    own.mkdir()
    environ = {"GEMINID_ENGINE_KV_CACHE_GIB": "1"}
    with serving(own, "--pull", "--long-input", "fold", environ=environ) as server:
        server.wait_ready()
        yield client(server)


def client(server) -> genai.Client:
    return genai.Client(http_options={"api_version": "v1beta", "base_url": server.url}, api_key="anything")


def uploaded(gemini, path):
    file = gemini.files.upload(file=path)
    while file.state is types.FileState.PROCESSING:
        time.sleep(0.1)
        file = gemini.files.get(name=file.name)
    assert file.state is types.FileState.ACTIVE, file.error
    return file


def ask(gemini, path, question, labels=()):
    """Upload, ask, and return the answer and the tokens by modality."""
    began = time.monotonic()
    config = {"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING", "enum": labels}}
    contents = [uploaded(gemini, path), question]
    answer = gemini.models.generate_content(model=MODEL, contents=contents, config=config if labels else None)
    assert time.monotonic() - began < SECONDS_MAX
    usage = answer.usage_metadata
    tokens = {each.modality.name: each.token_count for each in usage.prompt_tokens_details}
    assert sum(tokens.values()) == usage.prompt_token_count
    return answer.text, tokens


@pytest.fixture(scope="module")
def invoice_picture(folder):
    invoice(folder / "invoice.png")
    return folder / "invoice.png"


@pytest.fixture(scope="module")
def scan(folder, invoice_picture):
    """A PDF of two pages that are pictures of paper: an invoice, and its terms."""
    terms = drawn(
        (900, 480),
        [
            (40, 40, "Terms of delivery", 28),
            (40, 120, "Goods are delivered to Harbour Street 12.", 22),
            (40, 170, "The contact person is Ingrid Solberg.", 22),
        ],
    )
    sheet = Canvas(str(folder / "scan.pdf"), pagesize=(900, 480))
    for picture in (str(invoice_picture), terms):
        sheet.drawImage(ImageReader(picture), 0, 0, 900, 480)
        sheet.showPage()
    sheet.save()
    return folder / "scan.pdf"


@pytest.fixture(scope="module")
def book(folder):
    """A PDF of a hundred pages of text, with one sentence of meaning."""
    chance, sheet = random.Random(4), Canvas(str(folder / "book.pdf"))
    for page in range(1, 101):
        lines = prose(chance, 30).splitlines()
        for number, line in enumerate([*lines, SECRET] if page == 73 else lines):
            sheet.drawString(60, 780 - 20 * number, line)
        sheet.showPage()
    sheet.save()
    return folder / "book.pdf"


@pytest.fixture(scope="module")
def clip(folder):
    scenes = [(3, card("Welcome to Lisbon")), (4, card("Gate 12\nBoarding 14:30"))]
    return film(folder / "clip.mp4", scenes, sound=spoken("Passengers to Madrid, please go to the gate now."))


def test_an_invoice_is_read_to_the_last_figure(reading, invoice_picture):
    text, tokens = ask(reading, invoice_picture, "What is the total?")
    assert all(value in text for value in INVOICE.values())
    assert "900×480 pixels" in text
    assert tokens["IMAGE"] > tokens["TEXT"]


def test_the_pages_of_a_scan_are_read_and_told_apart(reading, scan):
    text, tokens = ask(reading, scan, "Who is the contact?")
    first, _, second = text.partition("[Page 2 of 2")
    assert INVOICE["number"] in first
    assert "Ingrid Solberg" in second
    assert tokens["DOCUMENT"] > 50


def test_a_hundred_pages_are_read_in_order(reading, book):
    text, _ = ask(reading, book, "What is the code?")
    marks = [text.index(f"[Page {page} of 100") for page in range(1, 101)]
    assert marks == sorted(marks)
    assert marks[72] < text.index(SECRET) < marks[73]


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".ogg"])
def test_what_is_said_is_heard(reading, folder, suffix):
    text, tokens = ask(reading, speech(folder / f"talk{suffix}", ANNOUNCEMENT), "When?")
    assert "delivery arrives on Friday" in text
    assert "English" in text
    assert tokens["AUDIO"] > 10


def test_a_film_is_read_and_heard_in_order_of_time(reading, clip):
    text, tokens = ask(reading, clip, "Where?")
    order = [text.index(words) for words in ("Welcome to Lisbon", "Gate 12", "14:30")]
    assert order == sorted(order)
    assert "Madrid" in text
    assert min(tokens["VIDEO"], tokens["AUDIO"]) > 5


ANSWERS = [
    ("invoice_picture", "What is the total?", "1,284.50", ("1,284.50", "420.00", "9,000.00")),
    ("invoice_picture", "What is the invoice number?", "INV-2026-0417", ("INV-2025-1111", "INV-2026-0417")),
    ("scan", "Who is the contact person?", "Ingrid Solberg", ("Peter Pan", "Ingrid Solberg", "Maria Keller")),
    ("clip", "What time is boarding?", "14:30", ("09:15", "14:30", "22:45")),
]


@pytest.mark.parametrize(("medium", "question", "right", "labels"), ANSWERS)
def test_the_embedded_model_answers_from_what_was_read(answering, request, medium, question, right, labels):
    text, _ = ask(answering, request.getfixturevalue(medium), question, labels)
    assert text == right


def test_the_embedded_model_answers_about_what_was_said(answering, folder):
    path = speech(folder / "said.wav", ANNOUNCEMENT)
    text, _ = ask(answering, path, "Who will open the gate?", ("John Smith", "Anna Miller", "Peter Pan"))
    assert text == "Anna Miller"


def test_a_book_beyond_the_window_is_answered_from_what_matters_of_it(answering, book):
    """The embedded model is too small to find the code in what is left of random prose; that it was given
    the sentence, within its window, is what is checked."""
    _, tokens = ask(answering, book, "What is the secret code of the safe in the cellar?", ("48213", "10002"))
    assert 500 < tokens["DOCUMENT"] < 8192


def test_a_second_question_about_a_file_reads_nothing_again(answering, folder, scan):
    file = uploaded(answering, scan)
    config = types.GenerateContentConfig(max_output_tokens=1)
    readings = folder / "answering" / "data" / "readings"
    kept = []
    for question in ("Who?", "Who else?"):
        answering.models.generate_content(model=MODEL, contents=[file, question], config=config)
        kept.append({path.name for path in readings.iterdir()})
    assert kept[0] == kept[1]
