"""Why an address cannot be fetched. One error, whose message is for the caller.

The sentences are as few as can be told apart without telling anything about the network that the server
stands in: what is refused for its place and what has no address at all are answered in the same words.
"""

from __future__ import annotations

from geminid.core.errors import InvalidArgument

PREFIX = "Cannot fetch content from the provided URL."
"""The hosted service's words for every such case; it answers them all with 400, and so do we."""

NOT_A_URL = "It is not a valid http(s) URL."
NOT_HTTP = "Only http and https are fetched."
USER_INFO = "It must not contain a user name or password."
BAD_PORT = "Nothing is fetched from its port."
NOT_PUBLIC = "The address is not public. It may be private, reserved or an unknown name."
UNREACHABLE = "Its server cannot be reached."
BAD_CERTIFICATE = "The certificate of its server is not valid."
BAD_ANSWER = "Its server does not answer in valid HTTP."
BROKEN_OFF = "Its server broke off in the middle."
COMPRESSED = "Its server sends it compressed although asked not to."
DOWNGRADE = "It redirects from https to http."


class Unfetchable(InvalidArgument):
    """The address is refused, cannot be reached, or does not give a file within the bounds.

    ``reason`` is one sentence of this module, or one with a number in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{PREFIX} {reason}")
        self.reason = reason
