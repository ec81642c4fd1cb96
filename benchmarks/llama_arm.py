"""The arm ``llama.cpp``: its own HTTP server, as the ``xllamacpp`` wheel carries it.

Tuned for this load: one slot for each concurrent request, both cores, continuous batching, prompt
cache. Prints its port when it listens and serves until its parent hangs up.
"""

from __future__ import annotations

import os
import sys

import xllamacpp

from benchmarks.child import serve_lines

SLOT_TOKENS = 1024


def main() -> None:
    """Entry point: WEIGHTS SLOTS [FOLDER]. With a folder, states of slots can be saved and restored."""
    weights, slots, *folder = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_parallel = slots
    params.n_ctx = slots * SLOT_TOKENS
    params.n_batch = 2048
    params.cont_batching = True
    params.cache_prompt = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.hostnames = ["127.0.0.1"] if isinstance(params.hostnames, list) else params.hostnames
    params.port = 0
    if folder:
        params.slot_save_path = f"{folder[0]}/"
    params.warmup = True
    params.ui = False
    server = xllamacpp.Server(params)
    serve_lines(str, str.upper, hello=server.listening_address)


if __name__ == "__main__":
    main()
