"""The arm ``sentence-transformers``: the reference implementation on PyTorch, in an environment of its own.

It is run by another Python than the benchmarks, so it imports nothing of theirs. Asked on a line of JSON with
texts, the size of a batch and a kind of numbers, it answers with the vectors in base 64 and the seconds that
``encode`` took.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time


def main() -> None:
    """Entry point: FOLDER THREADS."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import sentence_transformers
    import torch

    torch.set_num_threads(int(sys.argv[2]))
    models = {
        kind: sentence_transformers.SentenceTransformer(
            sys.argv[1], device="cpu", model_kwargs={"dtype": getattr(torch, kind)}
        )
        for kind in ("float32", "bfloat16")
    }
    versions = {"sentence-transformers": sentence_transformers.__version__, "torch": torch.__version__}
    print(json.dumps(versions), file=out, flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        began_s = time.perf_counter()
        model, batch = models[question["kind"]], question["batch"]
        vectors = model.encode(question["texts"], batch_size=batch, show_progress_bar=False)
        seconds = time.perf_counter() - began_s
        answer = {"seconds": seconds, "vectors": base64.b64encode(vectors.astype("<f4").tobytes()).decode()}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
