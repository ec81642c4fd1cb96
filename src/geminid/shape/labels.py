"""``text/x.enum``: an answer that is one of some labels, bare.

It knows no JSON beside the schema that lists the labels. Invariant: the answer is exactly one label.
"""

from __future__ import annotations

from geminid.shape.ebnf import literal, measure
from geminid.shape.faults import Fault
from geminid.shape.grammar import TOO_LARGE, Compiled


def compile_labels(labels: tuple[str, ...]) -> Compiled | Fault:
    """Return the grammar of one of ``labels``, which are not empty and have no lone surrogates."""
    text = f"root ::= {' | '.join(dict.fromkeys(literal(each) for each in labels))}\n"
    size = measure(text)
    return Compiled(text, size) if size.fits else TOO_LARGE
