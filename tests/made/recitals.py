"""Texts to be spoken, and what speakers of recordings say: references for accuracy."""

from __future__ import annotations

import re

TWO_CITIES = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness,
it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of
Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing
before us, we were all going direct to Heaven, we were all going direct the other way - in short, the period was
so far like the present period, that some of its noisiest authorities insisted on its being received, for good
or for evil, in the superlative degree of comparison only.
"""
"""Charles Dickens, A Tale of Two Cities, the first paragraph."""

RECORDED = {
    "two_cities.wav": TWO_CITIES,
    "beckett.wav": "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
    "endgame_nagg_nell.wav": """
        Do you hear me? Yes. Do you hear me? Yes. We laugh less heartily, so we have still that resource. We laugh
        less heartily, so we have still that resource? No, not heartily, just less heartily. Ah that's a good story,
        ah that's a good story. What are you talking about? Laughing. I thought you were in pain. Not now. Do you
        remember the day I went and fetched you from that ditch? No.""",
}
"""What is said in the recordings of :func:`made.sounds.recording`."""

SPOKEN = (
    "The meeting begins on Monday morning in the large office. Please bring the report about the new machine.",
    "Our company will open a second shop near the railway station in the summer, and we need more people there.",
    "The customer asked why the delivery was late. I told her that the bridge over the river was closed.",
    "Good evening. Here is the weather for tomorrow. It will rain in the north, and the south stays warm and dry.",
    "She walked along the garden wall to the old house, opened the window and looked out over the valley.",
    "To reset the device, hold the button for ten seconds, wait until the light is green, and then let it go.",
)
"""For synthesised speech; without numbers of two digits, which may be written in two ways."""

VOICES = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-us+f3")

_NUMBERS = dict(
    zip(
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"],
        strict=True,
    )
)


def words(text: str) -> list[str]:
    """What is compared: words without case and punctuation, small numbers in letters."""
    bare = re.findall(r"[\w']+", text.casefold().replace("’", "'"))
    return [_NUMBERS.get(word, word) for word in bare]


def word_errors(said: str, understood: str) -> tuple[int, int]:
    """Substitutions, insertions and deletions between two texts, and how many words were said."""
    reference, found = words(said), words(understood)
    row = list(range(len(found) + 1))
    for number, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other)),
            )
    return row[-1], len(reference)
