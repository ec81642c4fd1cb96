"""The requests whose fields the compatibility page lists, with what is to be said of single fields.

A remark with a sample is proved by ``tests/docs/test_fields.py``: the request is read, and refused or served with
less as the page says.
"""

from contract.bodies.chat import CHAT
from contract.bodies.generate import GENERATE
from contract.bodies.interactions import INTERACTIONS
from contract.bodies.messages import MESSAGES
from contract.bodies.realtime import REALTIME
from contract.bodies.responses import RESPONSES
from contract.bodies.small import BATCHES, EMBEDDINGS, FILES
from contract.bodies.speech import TRANSCRIPTIONS, TRANSLATIONS
from contract.bodies.vector_stores import VECTOR_STORES

REQUESTS = (
    GENERATE,
    INTERACTIONS,
    CHAT,
    RESPONSES,
    *VECTOR_STORES,
    EMBEDDINGS,
    FILES,
    BATCHES,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    REALTIME,
    MESSAGES,
)
