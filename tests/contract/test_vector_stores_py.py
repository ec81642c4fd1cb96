"""OpenAI's official Python SDK, unmodified: vector stores, and responses that search them."""

import json
from collections.abc import Iterator

import openai
import pytest

from serving import Server

MODEL = "gemini-3.1-flash-lite"
LAMP = b"The lamp in the hall is green. It was bought in Lisbon."
BREAD = b"Bread needs flour, water, salt and time."

proves = pytest.mark.proves


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def client(scripted: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="sk-anything", base_url=scripted.url + "/v1", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def files(client):
    return {
        name: client.files.create(file=(name, data), purpose="assistants").id
        for name, data in (("lamp.txt", LAMP), ("bread.txt", BREAD))
    }


@pytest.fixture(scope="module")
def store(client, files):
    """A store with both files."""
    store = client.vector_stores.create(name="house", metadata={"team": "blue"})
    batch = client.vector_stores.file_batches.create_and_poll(
        store.id,
        files=[
            {"file_id": files["lamp.txt"], "attributes": {"room": "hall", "floor": 1}},
            {"file_id": files["bread.txt"], "attributes": {"room": "kitchen", "floor": 0}},
        ],
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", 2)
    return store.id


def ask(client, words, store, **options):
    tool = {"type": "file_search", "vector_store_ids": [store], **options.pop("tool", {})}
    tools = [tool, *options.pop("more", [])]
    return client.responses.create(model=MODEL, input=words, tools=tools, **options)


# -- stores --------------------------------------------------------------------------------------------


@proves("vector stores · create, get, list, update, delete")
def test_stores(client):
    made = client.vector_stores.create(
        name="notes", metadata={"a": "b"}, expires_after={"anchor": "last_active_at", "days": 7}
    )
    assert made.id.startswith("vs_")
    assert (made.object, made.name, made.status, made.metadata) == (
        "vector_store",
        "notes",
        "completed",
        {"a": "b"},
    )
    assert made.expires_after.days == 7
    assert made.expires_at - made.last_active_at == 7 * 86_400
    assert client.vector_stores.retrieve(made.id) == made
    assert made.id in [each.id for each in client.vector_stores.list(limit=100)]
    changed = client.vector_stores.update(made.id, name="more notes", metadata=None, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_at) == ("more notes", {}, None)
    assert client.vector_stores.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError) as caught:
        client.vector_stores.retrieve(made.id)
    assert caught.value.body["message"] == f"Vector store with id '{made.id}' not found."


@proves("vector stores · lists in pages")
def test_pages(client):
    made = [client.vector_stores.create(name=f"page {number}").id for number in range(3)]
    page = client.vector_stores.list(limit=2, order="desc")
    assert page.has_more
    assert [each.id for each in client.vector_stores.list(limit=1, order="desc")][:3] == made[::-1]
    for each in made:
        client.vector_stores.delete(each)


# -- files ---------------------------------------------------------------------------------------------


@proves("vector stores · files: create and poll, get, list, update, content, delete")
def test_files(client, files):
    store = client.vector_stores.create().id
    file = client.vector_stores.files.create_and_poll(
        files["lamp.txt"],
        vector_store_id=store,
        attributes={"room": "hall"},
        chunking_strategy={
            "type": "static",
            "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50},
        },
    )
    assert (file.id, file.status, file.last_error) == (files["lamp.txt"], "completed", None)
    assert file.vector_store_id == store
    assert file.chunking_strategy.static.max_chunk_size_tokens == 200
    assert file.usage_bytes > 0
    assert [each.id for each in client.vector_stores.files.list(store, filter="completed")] == [file.id]
    described = client.vector_stores.files.update(
        file.id, vector_store_id=store, attributes={"room": "cellar", "lit": True}
    )
    assert described.attributes == {"room": "cellar", "lit": True}
    (text,) = client.vector_stores.files.content(file.id, vector_store_id=store)
    assert text.text.strip() == LAMP.decode()
    assert client.vector_stores.files.delete(file.id, vector_store_id=store).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.files.retrieve(file.id, vector_store_id=store)
    assert client.files.retrieve(files["lamp.txt"]).filename == "lamp.txt"
    client.vector_stores.delete(store)


@proves("vector stores · files with the store that is made")
def test_files_of_a_new_store(client, files):
    store = client.vector_stores.create(file_ids=list(files.values()))
    assert store.file_counts.total == 2
    assert len(list(client.vector_stores.files.list(store.id))) == 2
    client.vector_stores.delete(store.id)


@proves("vector stores · file batches: create and poll, get, list, cancel")
def test_batches(client, files):
    store = client.vector_stores.create().id
    batch = client.vector_stores.file_batches.create_and_poll(store, file_ids=list(files.values()))
    assert batch.id.startswith("vsfb_")
    assert (batch.status, batch.file_counts.total) == ("completed", 2)
    again = client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store)
    assert again == batch
    listed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store)
    assert {each.id for each in listed} == set(files.values())
    assert client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store).file_counts.total == 2
    client.vector_stores.delete(store)


# -- searches ------------------------------------------------------------------------------------------


@proves("vector stores · search: query, max_num_results, filters, score_threshold")
def test_search(client, store, files):
    found = client.vector_stores.search(store, query="The lamp in the hall is green")
    assert found.data[0].file_id == files["lamp.txt"]
    assert found.data[0].filename == "lamp.txt"
    assert found.data[0].content[0].text.strip() == LAMP.decode()
    assert 0 <= found.data[0].score <= 1
    one = client.vector_stores.search(store, query=["lamp", "bread"], max_num_results=1)
    assert len(one.data) == 1
    kitchen = client.vector_stores.search(
        store, query="lamp", filters={"type": "eq", "key": "room", "value": "kitchen"}
    )
    assert [each.filename for each in kitchen.data] == ["bread.txt"]
    both = {
        "type": "and",
        "filters": [
            {"type": "lte", "key": "floor", "value": 1},
            {"type": "in", "key": "room", "value": ["hall", "attic"]},
        ],
    }
    assert [each.filename for each in client.vector_stores.search(store, query="x", filters=both).data] == [
        "lamp.txt"
    ]
    none = client.vector_stores.search(store, query="x y z", ranking_options={"score_threshold": 1.0})
    assert none.data == []


@proves("vector stores · rewrite_query", approximated="asked as sent, which x-geminid-downgraded says")
def test_rewriting(client, store):
    answer = client.vector_stores.with_raw_response.search(store, query="lamp", rewrite_query=True)
    assert answer.headers["x-geminid-downgraded"] == "rewrite_query=as-sent"


@proves("vector stores · mistakes, by their parameter")
def test_mistakes(client, store):
    for body, param in (
        ({"type": "nearly", "key": "a", "value": 1}, "filters.type"),
        ({"type": "eq", "key": "a"}, "filters.value"),
        ({"type": "and", "filters": [{"type": "in", "key": "a", "value": "b"}]}, "filters.filters[0].value"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            client.vector_stores.search(store, query="lamp", filters=body)
        assert caught.value.param == param
    with pytest.raises(openai.BadRequestError) as caught:
        client.vector_stores.list(before="vs_1")
    assert caught.value.param == "before"
    with pytest.raises(openai.NotFoundError) as caught:
        client.vector_stores.files.create(store, file_id="file-nowhere")
    assert "file-nowhere" in caught.value.body["message"]


# -- responses that search -----------------------------------------------------------------------------


@proves("responses, file search · the model searches, and answers from what was found")
def test_a_response_searches(client, store, files):
    response = ask(client, "look up the lamp", store, reasoning={"effort": "low"})
    thoughts, search, message = response.output
    assert (thoughts.type, search.type, search.status) == ("reasoning", "file_search_call", "completed")
    assert search.queries == ["the colour of the lamp"]
    assert search.results is None
    assert "The lamp in the hall is green" in response.output_text
    assert response.usage.output_tokens_details.reasoning_tokens == 3
    assert client.responses.retrieve(response.id) == response
    assert response.tools[0].vector_store_ids == [store]
    cited = [note.file_id for note in message.content[0].annotations]
    assert set(cited) == set(files.values())
    assert message.content[0].annotations[0].index == len(response.output_text)


@proves(
    "responses, file search · annotations: file_citation",
    approximated="every file of which the model was given pieces, at the end of its words",
)
def test_citations(client, store, files):
    hall = {"filters": {"type": "eq", "key": "room", "value": "hall"}}
    response = ask(client, "look up the lamp", store, tool=hall)
    (note,) = response.output[-1].content[0].annotations
    assert (note.type, note.file_id, note.filename) == ("file_citation", files["lamp.txt"], "lamp.txt")


@proves("responses, file search · include file_search_call.results, max_num_results")
def test_results_are_included(client, store, files):
    include = ["file_search_call.results"]
    response = ask(client, "look up the lamp", store, tool={"max_num_results": 1}, include=include)
    search = next(item for item in response.output if item.type == "file_search_call")
    (result,) = search.results
    assert result.filename in ("lamp.txt", "bread.txt")
    assert result.text
    plain = ask(client, "look up the lamp", store)
    later = client.responses.retrieve(plain.id, include=include)
    assert next(item for item in later.output if item.type == "file_search_call").results


@proves("responses, file search · streamed events")
def test_a_streamed_search(client, store):
    events = list(ask(client, "look up the lamp", store, stream=True, reasoning={"effort": "none"}))
    kinds = [event.type for event in events]
    assert kinds[2:8] == [
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
        "response.output_item.added",
    ]
    assert kinds.count("response.output_text.annotation.added") == 2
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))


@proves("responses, file search · max_tool_calls")
def test_searches_have_a_bound(client, store):
    include = ["file_search_call.results"]
    other = {"type": "function", "name": "other", "parameters": None, "strict": None}
    response = ask(client, "keep looking", store, more=[other], max_tool_calls=2, include=include)
    searches = [item for item in response.output if item.type == "file_search_call"]
    assert [bool(search.results) for search in searches] == [True, True, False]
    assert response.status == "completed"


@proves("responses, file search · one search at a time, where the model can do nothing else")
def test_one_search_at_a_time(client, store):
    response = ask(client, "keep looking", store)
    assert [item.type for item in response.output] == ["file_search_call", "message"]


@proves("responses, file search · tool_choice file_search, none")
def test_choosing_to_search(client, store):
    forced = ask(client, "look up the lamp", store, tool_choice={"type": "file_search"})
    assert any(item.type == "file_search_call" for item in forced.output)
    never = ask(client, "look up the lamp", store, tool_choice="none")
    assert [item.type for item in never.output] == ["message"]


@proves("responses, file search · beside functions of the caller")
def test_searching_and_calling(client, store):
    weather = {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": None,
    }
    response = ask(client, "look up the lamp and the weather in Boston", store, more=[weather])
    kinds = [item.type for item in response.output]
    assert kinds == ["file_search_call", "function_call"]
    assert json.loads(response.output[1].arguments) == {"city": "Boston"}
    result = {"type": "function_call_output", "call_id": response.output[1].call_id, "output": "grey"}
    tools = [weather]
    answer = client.responses.create(
        model=MODEL, input=[result], previous_response_id=response.id, tools=tools
    )
    assert "grey" in answer.output_text


@proves("responses, file search · in the background")
def test_searching_in_the_background(client, store):
    *_, last = ask(client, "look up the lamp", store, background=True, stream=True)
    assert "The lamp in the hall is green" in last.response.output_text


@proves("responses, file search · a store that there is not")
def test_an_unknown_store(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "look up the lamp", "vs_nowhere")
    assert caught.value.body["message"] == "Vector store with id 'vs_nowhere' not found."
    assert caught.value.param == "tools"


@proves(
    "responses, file search · ranking_options.hybrid_search",
    approximated="by meaning alone, which x-geminid-downgraded says",
)
def test_hybrid_search(client, store):
    ranking = {"hybrid_search": {"embedding_weight": 0.5, "text_weight": 0.5}, "score_threshold": 0.0}
    answer = client.responses.with_raw_response.create(
        model=MODEL,
        input="hello",
        tools=[{"type": "file_search", "vector_store_ids": [store], "ranking_options": ranking}],
    )
    assert answer.headers["x-geminid-downgraded"] == "tools[0].ranking_options.hybrid_search=by-meaning-alone"
