"""How much is kept of interactions and for how long, as the operator has set it."""

from __future__ import annotations

import msgspec

DAY_MS = 86_400_000


class InteractionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """ttl_ms: how long an interaction is kept after it was last gone on from; 0 keeps none.

    depth_max: how many may follow each other. bytes_max: what a project's may take, as they are kept; 0 is no
    bound. chain_bytes_max: what those that follow each other may take. running_max: how many of a project run
    in the background at once, in this process; waiting_max: how many have not ended, in all. run_ms: how long
    one step of them may take. grace_ms: how long they may finish when the server is shut down. refused_ms:
    how long a caller waits to hear of a refusal; later ones are told as failures.
    """

    ttl_ms: int = 30 * DAY_MS
    depth_max: int = 1_000
    bytes_max: int = 0
    chain_bytes_max: int = 256 * 1024 * 1024
    running_max: int = 8
    waiting_max: int = 200
    run_ms: int = 1_200_000
    grace_ms: int = 5_000
    refused_ms: int = 1_000
