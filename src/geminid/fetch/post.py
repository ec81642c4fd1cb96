"""One POST to an address that an operator gave: no redirects, no second attempt, no answer but its status.

The address is trusted, unlike those of :mod:`geminid.fetch.fetcher`: hooks are often inside of a private
network. The HTTP library is imported with the first message, since that takes a while.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from geminid.fetch.faults import BAD_ANSWER, UNREACHABLE, Unfetchable

Header = tuple[bytes, bytes]


async def post(url: str, body: bytes, headers: Sequence[Header], ms_max: int) -> int:
    """Send a body and return the status of the answer; raises ``Unfetchable`` when there was none."""
    import httpcore2

    from geminid.fetch.exchange import FIELDS

    named = [*headers, *(each for each in FIELDS if each[0] != b"Accept-Encoding")]
    try:
        async with asyncio.timeout(ms_max / 1000), httpcore2.AsyncConnectionPool() as pool:
            answer = await pool.request("POST", url, headers=named, content=body)
            return int(answer.status)
    except (httpcore2.NetworkError, httpcore2.TimeoutException, ssl.SSLError, TimeoutError) as error:
        raise Unfetchable(UNREACHABLE) from error
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ValueError) as error:
        raise Unfetchable(BAD_ANSWER) from error
