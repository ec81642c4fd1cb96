"""Interactions and file search with the real models: what was said before is not computed again, what is meant is found."""

import time

import pytest

pytestmark = pytest.mark.e2e

BEARER = {"authorization": "Bearer anything"}
TEXTS = {
    "whales.txt": "Blue whales are the largest animals that have ever lived. They feed on krill in cold seas.",
    "bread.txt": "Sourdough bread needs flour, water, salt and patience: the dough rises for a whole night.",
    "trains.txt": "The night train from Vienna to Rome has sleeping cars and leaves at seven in the evening.",
}
QUESTIONS = {
    "whales.txt": "Which creature of the ocean is the biggest?",
    "bread.txt": "How do I bake a loaf?",
    "trains.txt": "When does the railway connection to Italy depart?",
}


def test_a_turn_that_goes_on_finds_what_was_computed_for_the_ones_before(real):
    def ask(text, previous=None):
        body = {
            "model": "gemini-3.1-flash-lite",
            "input": text,
            "generation_config": {"max_output_tokens": 24},
        }
        body |= {"previous_interaction_id": previous} if previous else {}
        made = real.post("/v1beta/interactions", json=body)
        assert made.status_code == 200, made.text
        return made.json()

    first = ask("Tell me about the sea, the sky, the mountains and the rivers. " * 8)
    second = ask("Go on.", first["id"])
    assert second["usage"]["total_cached_tokens"] >= first["usage"]["total_input_tokens"] // 32 * 32 > 0


def test_files_are_found_by_what_they_mean(real):
    ids = []
    for name, text in TEXTS.items():
        form = {"files": {"file": (name, text.encode())}, "data": {"purpose": "assistants"}}
        ids.append(real.post("/v1/files", headers=BEARER, **form).json()["id"])
    store = real.post("/v1/vector_stores", headers=BEARER, json={"name": "s", "file_ids": ids}).json()["id"]
    until = time.monotonic() + 100
    while real.get(f"/v1/vector_stores/{store}", headers=BEARER).json()["status"] != "completed":
        assert time.monotonic() < until
        time.sleep(0.1)
    for name, question in QUESTIONS.items():
        said = real.post(f"/v1/vector_stores/{store}/search", headers=BEARER, json={"query": question})
        hits = said.json()["data"]
        assert [len(hits), hits[0]["filename"], hits[0]["content"][0]["text"]] == [3, name, TEXTS[name]]
        assert hits[0]["score"] > hits[1]["score"] + 0.1
