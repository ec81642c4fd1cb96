"""Write the hashed locks. No lock names a registry's host, so they work behind any mirror.

One compile a lock, each constrained by the one before, so that all of them agree; but for that of the
frameworks, which have an environment of their own, as their users have.
"""

import subprocess
import sys

LOCKS = (
    ("run.txt", ("pyproject.toml",)),
    ("dev.txt", ("pyproject.toml", "--group", "dev", "-c", "requirements/run.txt")),
    ("frameworks.txt", ("requirements/frameworks.in",)),
    ("bench.txt", ("requirements/bench.in", "-c", "requirements/dev.txt")),
    ("bootstrap.txt", ("requirements/bootstrap.in",)),
)

OPTIONS = ("--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url")

for lock, source in LOCKS:
    output = ("--universal", "--python-version", "3.11", "-o", f"requirements/{lock}")
    subprocess.run([sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *source, *output], check=True)
