"""HTML to Markdown: what a reader sees, without scripts and styles. It knows no file.

Invariant: however deep the page is nested, what is walked is not; deeper words stay, their markup does not.
"""

from __future__ import annotations

import warnings

from bs4 import BeautifulSoup, Comment, Tag, XMLParsedAsHTMLWarning
from bs4.element import PageElement
from markdownify import ATX, MarkdownConverter

DEPTH_MAX = 60
"""The converter calls itself for each level."""
UNSEEN = ("script", "style", "template", "noscript", "svg", "head", "iframe", "object", "embed")


def markdown_of(html: str) -> tuple[str, list[str]]:
    """Return a page as Markdown, and what was left out of it, in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(html, "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for tag in soup.find_all(UNSEEN):
        if not tag.decomposed:
            tag.decompose()
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    notes = _flatten(soup)
    _name_pictures(soup)
    converter = MarkdownConverter(
        heading_style=ATX,
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
        keep_inline_images_in=["td", "th"],
    )
    body = converter.convert_soup(soup).strip()
    shown = f"# {title}\n\n{body}".strip() if title and title not in body[: 2 * len(title) + 10] else body
    return shown, notes


def _flatten(soup: BeautifulSoup) -> list[str]:
    """Leave only the words of what is nested too deeply."""
    waiting: list[tuple[PageElement, int]] = [(child, 1) for child in soup.children]
    flattened = 0
    while waiting:
        element, depth = waiting.pop()
        if not isinstance(element, Tag):
            continue
        if depth >= DEPTH_MAX and element.find(True) is not None:
            element.string = element.get_text(" ", strip=True)
            flattened += 1
        else:
            waiting += [(child, depth + 1) for child in element.children]
    return (
        [f"markup nested deeper than {DEPTH_MAX} levels was left out, its words were not"]
        if flattened
        else []
    )


def _name_pictures(soup: BeautifulSoup) -> None:
    """Pictures that are inside the page are no text: what they are called stays."""
    for image in soup.find_all("img"):
        source = str(image.get("src", ""))
        if not source or source.startswith("data:"):
            name = image.get("alt")
            image.replace_with(f"[{name}]" if name else "")
