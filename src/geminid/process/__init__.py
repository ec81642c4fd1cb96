"""Child processes: where native code and other people's parsers live, so that the server outlives them.

It knows processes, sockets and frames, not what is said over them.
"""
