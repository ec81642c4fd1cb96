"""A table is classified over night, at half the price: CSV to JSON lines, a batch, labels joined back.

The job belongs to the server. This program may end after it has begun, and so may the server: what is
answered stays answered. Run it again with the job's name to wait for it and take the results.
"""

import csv
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from connect import MODEL, client
from google import genai
from google.genai import types

MAILS = Path(__file__).parent / "media" / "mails.csv"
LABELS = ["billing", "delivery", "technical", "praise"]
INSTRUCTION = (
    "You sort mail of a shop. billing: invoices, refunds. delivery: parcels, delays. "
    "technical: the product does not work. praise: thanks."
)


def request_of(mail: str) -> dict:
    """Return what is asked about one mail; the instruction comes first, so that all share its beginning."""
    return {
        "systemInstruction": {"parts": [{"text": INSTRUCTION}]},
        "contents": [{"parts": [{"text": mail}]}],
        "generationConfig": {
            "temperature": 0,
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "STRING", "enum": LABELS},
        },
    }


def begin(gemini: genai.Client, rows: list[dict[str, str]]) -> types.BatchJob:
    """Upload one line for each row, and have them answered when there is time."""
    lines = [json.dumps({"key": row["id"], "request": request_of(row["mail"])}) for row in rows]
    file = gemini.files.upload(
        file=io.BytesIO("\n".join(lines).encode()), config={"mime_type": "application/jsonl"}
    )
    return gemini.batches.create(model=MODEL, src=file.name, config={"display_name": "nightly mail"})


def finished(gemini: genai.Client, name: str) -> types.BatchJob:
    """Wait for a job's end."""
    while not (job := gemini.batches.get(name=name)).done:
        time.sleep(0.5)
    if job.state is not types.JobState.JOB_STATE_SUCCEEDED:
        raise SystemExit(f"{name} has ended as {job.state.name}")
    return job


def labels_of(gemini: genai.Client, job: types.BatchJob) -> Iterator[tuple[str, str]]:
    """Yield each row's id and label; a line that could not be answered has its reason in place of it."""
    for line in gemini.files.download(file=job.dest.file_name).splitlines():
        result = json.loads(line)
        if "error" in result:
            yield result["key"], f"! {result['error']['message']}"
        else:
            yield result["key"], result["response"]["candidates"][0]["content"]["parts"][0]["text"]


def main(path: Path, name: str = "") -> None:
    gemini = client()
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not name:
        name = begin(gemini, rows).name
        print(f"begun: {name}", file=sys.stderr)
    labels = dict(labels_of(gemini, finished(gemini, name)))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("id", "label", "mail"))
    writer.writerows((row["id"], labels[row["id"]], row["mail"]) for row in rows)
    counts = Counter(labels.values()).most_common()
    print(", ".join(f"{label}: {count}" for label, count in counts), file=sys.stderr)


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    main(Path(arguments.get(1, MAILS)), arguments.get(2, ""))
