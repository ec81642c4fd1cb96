"""What a model that embeds reads of an input: the text in the words that it was trained to read it in."""

from __future__ import annotations

from geminid.core.card import EmbeddingCard
from geminid.core.embed import EmbedInput

TITLE = "{title}"
TEXT = "{text}"
NO_TITLE = "none"
"""What EmbeddingGemma was trained to read in the place of a title that is not there."""


def words_of(card: EmbeddingCard, asked: EmbedInput) -> str:
    """Return what the model reads: the template of the task, filled in, or the text itself.

    A title for which the template has no place is a line before the text, so that it counts.
    """
    template = card.instructions.get(asked.task or "default", card.instructions.get("default", TEXT))
    before, _, after = template.partition(TEXT)
    text = asked.text
    if TITLE in template:
        before, after = (each.replace(TITLE, asked.title or NO_TITLE) for each in (before, after))
    elif asked.title:
        text = f"{asked.title}\n{text}"
    return f"{before}{text}{after}"
