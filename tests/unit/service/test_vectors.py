"""Stores of vectors: files indexed in the background, paid by who added them, found by meaning."""

import asyncio
import shutil

import pytest

import make
from geminid.catalog.served import Served
from geminid.core.caller import Caller
from geminid.core.card import EmbeddingCard
from geminid.core.content import FileRef, Text, Turn
from geminid.core.errors import (
    FailedPrecondition,
    InvalidArgument,
    OutOfCredits,
    QuotaExceeded,
    ResourceExhausted,
    Unavailable,
    UnknownFile,
)
from geminid.core.file import File
from geminid.core.vector import (
    Compare,
    Counts,
    Cutting,
    NewFiles,
    Query,
    UnknownIndexedFile,
    UnknownVectorStore,
)
from geminid.engines.scripted_embedder import ScriptedEmbedder
from geminid.service.embed import Embeddings
from geminid.service.resolve import Resolved
from geminid.service.vector_bill import PAID_WITHIN_S, Bill
from geminid.service.vector_indexing import Indexer
from geminid.service.vector_limits import VectorLimits
from geminid.service.vector_searching import named
from geminid.service.vectors import StoreChange, VectorStores
from geminid.store import files as file_rows
from geminid.store import owners, vectors
from geminid.store.database import Database, sqlite_url
from geminid.store.files import Kept
from geminid.store.owners import Owner
from geminid.store.tables import vector_contents, vector_files, vector_stores
from money import house

CARD = EmbeddingCard(name="tiny", title="Tiny", engine="scripted", dimensions=64, context_tokens_max=40)
SERVED = Served((make.card("talks", engine="scripted"),), embeddings=(CARD,), embedding_aliases=("tiny",))
TEXTS = {
    "whales": "Whales are mammals that live in the sea. " * 3,
    "bread": "Bread is made of flour, water, salt and yeast. " * 3,
    "long": " ".join(
        f"Sentence number {n} is about {'whales' if n == 70 else 'nothing'}." for n in range(100)
    ),
    "empty": "  \n ",
}
CREDIT = 10**9
DAY_MS = 86_400_000


class Reads:
    """A file is read as what stands in a table, once all refusals were told."""

    def __init__(self):
        self.refusals, self.hold = [], None

    async def resolve(self, request, card, project):
        (part,) = request.turns[0].parts
        if not isinstance(part, FileRef):
            return Resolved(request=request)
        if self.hold is not None:
            await self.hold.wait()
        if self.refusals:
            raise self.refusals.pop()
        name = part.uri.removeprefix("files/")
        if name == "broken":
            raise InvalidArgument("It cannot be read.")
        text = Turn("user", (Text(f"\n{TEXTS[name]}\n"),))
        return Resolved(request=make.request(turns=(text,)))


class Embeds(ScriptedEmbedder):
    """Gets stuck after so many rounds, until it may go on."""

    def __init__(self):
        super().__init__()
        self.rounds, self.rounds_max = 0, 10**6
        self.stuck, self.go_on = asyncio.Event(), asyncio.Event()

    async def embed(self, card, request):
        if self.rounds == self.rounds_max:
            self.stuck.set()
            await self.go_on.wait()
        self.rounds += 1
        return await super().embed(card, request)


class Shelf:
    """Stores of one process over a house."""

    def __init__(self, home, owner="one", **limits):
        self.home, self.reads, self.embedder = home, Reads(), Embeds()
        self.limits = VectorLimits(**limits)
        embeddings = Embeddings(
            lambda: SERVED,
            {"scripted": self.embedder},
            lambda record: None,
            resolver=self.reads,
            meter=home.meter,
        )
        self.indexer = Indexer(
            home.database,
            self.reads,
            embeddings,
            home.meter,
            self.limits,
            owner,
            lambda model: named(SERVED, model),
            home.clock,
            look_every_s=0.02,
        )
        self.acts = VectorStores(
            home.database, embeddings, self.indexer, lambda: SERVED, self.limits, now_ms=home.clock
        )

    async def filled(self, *names, caller=None, wait=True, **said):
        caller = caller or self.home.caller
        files = tuple((name, {"kind": name}) for name in names)
        store = await self.acts.create(caller, "vs_", name="s", new=NewFiles(files=files, **said))
        if wait:
            await self.until_indexed(store)
        return store

    async def until_indexed(self, store):
        while (found := await self.acts.get(store.project, store.id)).counts.in_progress:
            await asyncio.sleep(0.005)
        await self.rest()
        return found

    async def rest(self):
        """Wait until everything that was begun has ended, and is paid."""
        await asyncio.gather(*self.indexer._tasks)

    async def found(self, store, *texts, **said):
        return await self.acts.search(self.home.caller, [store.id], Query(texts=texts, **said))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database with tables and nothing in them, made once."""
    file = tmp_path_factory.mktemp("empty") / "geminid.db"

    async def make_tables():
        await (await Database.open(sqlite_url(file))).close()

    asyncio.run(make_tables())
    return file


@pytest.fixture
async def home(tmp_path, empty):
    async with house(sqlite_url(shutil.copy(empty, tmp_path / "geminid.db"))) as opened:
        opened.caller = await opened.project(credit_nano=CREDIT)
        for name in (*TEXTS, "broken"):
            await add_file(opened, "p", name)
        yield opened


async def add_file(home, project, name):
    file = File(
        project=project,
        id=name,
        display_name=f"{name}.txt",
        mime_type="text/plain",
        size_bytes=1,
        sha256_hex="",
        created_us=1,
        updated_us=1,
        expires_us=home.clock() * 2_000,
    )
    await home.database.write(lambda c: file_rows.add(c, Kept(file, f"{project}-{name}")))


@pytest.fixture
async def shelf(home):
    made = Shelf(home)
    yield made
    await made.indexer.close()
    assert (await home.verified()).open_holds == 0


async def test_what_is_meant_is_found(shelf, home):
    store = await shelf.filled("whales", "bread")
    hits = await shelf.found(store, "mammals of the sea")
    assert hits[0].name == "whales.txt"
    assert hits[0].text.startswith("Whales are mammals")
    assert 0 < hits[0].score <= 1
    assert hits == tuple(sorted(hits, key=lambda hit: -hit.score))
    assert len({(hit.file, hit.piece) for hit in hits}) == len(hits)
    known = await shelf.acts.get("p", store.id)
    assert (known.counts, known.size_bytes > 0) == (Counts(completed=2), True)
    outcomes = {(row.verb, row.outcome) for row in await home.rows()}
    assert outcomes == {("embed", "finished")}


async def test_every_word_of_a_long_text_is_embedded_once_and_its_pieces_overlap(shelf, home):
    cutting = Cutting(piece_tokens=100, overlap_tokens=50)
    store = await shelf.filled("long", cutting=cutting)
    file = await shelf.acts.file("p", store.id, "long")
    assert await shelf.acts.text("p", store.id, "long") == TEXTS["long"]
    assert file.pieces > 5
    (hit, *_) = await shelf.found(store, "whales", results_max=1)
    assert "Sentence number 70 is about whales." in hit.text
    words = len(TEXTS["long"].split())
    read = sum(row.usage.prompt for row in await home.rows())
    assert words <= read <= words * 1.2


async def test_results_are_bounded_filtered_and_good_enough(shelf):
    store = await shelf.filled("whales", "bread", "long")
    assert len(await shelf.found(store, "whales", results_max=2)) == 2
    only = await shelf.found(store, "whales", filter=Compare("kind", "eq", "bread"))
    assert {hit.file for hit in only} == {"bread"}
    everything = await shelf.found(store, "whales", results_max=50)
    worst, best = everything[-1].score, everything[0].score
    assert worst < best
    better = await shelf.found(store, "whales", results_max=50, score_min=(worst + best) / 2)
    assert 0 < len(better) < len(everything)
    assert await shelf.found(store, "whales", score_min=1.0) in ((), everything[:1])


async def test_several_stores_and_queries_are_searched_together(shelf):
    one, two = await shelf.filled("whales"), await shelf.filled("bread")
    hits = await shelf.acts.search(
        shelf.home.caller, [one.id, two.id, one.id], Query(texts=("mammals of the sea", "flour and yeast"))
    )
    assert {hit.store for hit in hits[:2]} == {one.id, two.id}


async def test_a_file_that_cannot_be_read_or_has_no_text_has_failed(shelf):
    store = await shelf.filled("broken", "empty", "bread")
    assert (await shelf.acts.get("p", store.id)).counts == Counts(completed=1, failed=2)
    broken = await shelf.acts.file("p", store.id, "broken")
    assert (broken.status, broken.fault_code, broken.fault) == (
        "failed",
        "INVALID_ARGUMENT",
        "It cannot be read.",
    )
    assert (await shelf.acts.file("p", store.id, "empty")).fault == "There is no text in this file."


async def test_who_adds_a_file_pays_for_it_and_without_credits_it_fails(shelf, home):
    await home.project("poor", credit_nano=1)
    await add_file(home, "poor", "whales")
    store = await shelf.filled("whales", caller=Caller(project="poor"))
    file = await shelf.acts.file("poor", store.id, "whales")
    assert (file.status, file.fault_code) == ("failed", "RESOURCE_EXHAUSTED")
    ready = await shelf.filled("whales")
    await home.database.write(
        lambda c: c.execute(
            vector_stores.update().where(vector_stores.c.id == ready.id).values(project="poor")
        )
    )
    await home.database.write(
        lambda c: c.execute(
            vector_files.update().where(vector_files.c.store == ready.id).values(project="poor")
        )
    )
    with pytest.raises(OutOfCredits):
        await shelf.acts.search(Caller(project="poor"), [ready.id], Query(texts=("sea",)))


LIMIT = QuotaExceeded("tiny", (), retry_after_ms=1)


@pytest.mark.parametrize("problem", [Unavailable("Busy.", retry_after_ms=1), LIMIT])
async def test_what_is_refused_for_now_is_waited_for(shelf, problem):
    shelf.reads.refusals = [problem] * 3
    store = await shelf.filled("whales")
    assert (await shelf.acts.file("p", store.id, "whales")).status == "completed"
    assert shelf.reads.refusals == []


async def test_what_is_refused_for_good_has_failed(shelf):
    shelf.reads.refusals = [QuotaExceeded("tiny", ())]
    store = await shelf.filled("whales")
    assert (await shelf.acts.file("p", store.id, "whales")).fault_code == "RESOURCE_EXHAUSTED"


async def test_windows_that_are_too_long_for_the_model_are_halved(shelf, monkeypatch):
    monkeypatch.setattr("geminid.service.vector_indexing.window_tokens", lambda *_: 200)
    store = await shelf.filled("long")
    assert await shelf.acts.text("p", store.id, "long") == TEXTS["long"]
    (hit, *_) = await shelf.found(store, "whales", results_max=1)
    assert "whales" in hit.text


async def test_others_stores_and_files_are_unknown(shelf, home):
    caller = await home.project("q", credit_nano=CREDIT)
    store = await shelf.filled("whales")
    for act in (
        shelf.acts.get("q", store.id),
        shelf.acts.delete("q", store.id),
        shelf.acts.update("q", store.id, StoreChange(name="x")),
        shelf.acts.file("q", store.id, "whales"),
        shelf.acts.files("q", store.id, 1),
        shelf.acts.counts("q", store.id),
        shelf.acts.cancel("q", store.id, "b"),
        shelf.acts.add(caller, store.id, NewFiles(files=(("whales", {}),))),
        shelf.acts.search(caller, [store.id], Query(texts=("x",))),
    ):
        with pytest.raises(UnknownVectorStore):
            await act
    with pytest.raises(UnknownIndexedFile):
        await shelf.acts.file("p", store.id, "bread")
    with pytest.raises(UnknownFile):
        await shelf.acts.create(caller, "vs_", new=NewFiles(files=(("whales", {}),)))
    assert (await shelf.acts.page("q", 10)).stores == ()


async def test_stores_are_listed_changed_and_deleted(shelf, home):
    made = []
    for number in range(5):
        home.clock.ms += 1
        made.append(await shelf.acts.create(home.caller, "vs_", name=str(number)))
    first = await shelf.acts.page("p", 2)
    assert ([each.name for each in first.stores], first.more) == (["4", "3"], True)
    rest = await shelf.acts.page("p", 10, after_id=first.stores[-1].id)
    assert ([each.name for each in rest.stores], rest.more) == (["2", "1", "0"], False)
    up = await shelf.acts.page("p", 2, "asc", made[0].id)
    assert [each.name for each in up.stores] == ["1", "2"]
    changed = await shelf.acts.update("p", made[0].id, StoreChange(name="new", kept=b"m", idle_ms_max=DAY_MS))
    assert (changed.name, changed.kept, changed.expires_ms) == ("new", b"m", home.clock() + DAY_MS)
    await shelf.acts.delete("p", made[0].id)
    with pytest.raises(UnknownVectorStore):
        await shelf.acts.get("p", made[0].id)


async def test_a_store_that_nobody_uses_ends_with_what_is_in_it(shelf, home):
    store = await shelf.acts.create(
        home.caller, "vs_", idle_ms_max=DAY_MS, new=NewFiles(files=(("whales", {}),))
    )
    await shelf.until_indexed(store)
    home.clock.ms += DAY_MS - 1
    await shelf.found(store, "sea")
    home.clock.ms += DAY_MS - 1
    await shelf.found(store, "sea")
    home.clock.ms += DAY_MS
    with pytest.raises(UnknownVectorStore):
        await shelf.found(store, "sea")
    await shelf.indexer.start()
    assert await home.database.read(lambda c: c.execute(vector_contents.select()).all()) == []


async def test_files_are_listed_described_and_taken_out(shelf, home):
    store = await shelf.filled("whales", "bread", "broken", batch="b1")
    page = await shelf.acts.files("p", store.id, 2, "asc", batch="b1")
    assert ([each.file for each in page.files], page.more) == (["whales", "bread"], True)
    rest = await shelf.acts.files("p", store.id, 2, "asc", "bread")
    assert [each.file for each in rest.files] == ["broken"]
    failed = await shelf.acts.files("p", store.id, 9, status="failed")
    assert [each.file for each in failed.files] == ["broken"]
    assert await shelf.acts.counts("p", store.id, "b1") == Counts(completed=2, failed=1)
    assert await shelf.acts.counts("p", store.id, "b2") == Counts()
    await shelf.acts.describe("p", store.id, "whales", {"year": 1851.0, "true": True})
    hits = await shelf.found(store, "sea", filter=Compare("year", "lt", 1900.0))
    assert {hit.file for hit in hits} == {"whales"}
    await shelf.acts.remove("p", store.id, "whales")
    assert {hit.file for hit in await shelf.found(store, "sea")} == {"bread"}
    with pytest.raises(UnknownIndexedFile):
        await shelf.acts.remove("p", store.id, "whales")


async def test_a_file_that_is_deleted_is_out_of_every_store(shelf, home):
    one, two = await shelf.filled("whales"), await shelf.filled("whales", "bread")
    await home.database.write(lambda c: vectors.remove_everywhere(c, "p", "whales"))
    assert await shelf.found(one, "sea") == ()
    assert {hit.file for hit in await shelf.found(two, "sea")} == {"bread"}


async def test_files_that_were_added_together_are_cancelled_together(shelf):
    shelf.reads.hold = asyncio.Event()
    store = await shelf.filled("whales", "bread", "long", wait=False, batch="b")
    assert await shelf.acts.cancel("p", store.id, "b") == Counts(cancelled=3)
    shelf.reads.hold.set()
    await asyncio.sleep(0.05)
    assert await shelf.acts.counts("p", store.id, "b") == Counts(cancelled=3)
    assert await shelf.found(store, "sea") == ()


async def test_a_file_that_is_added_again_is_indexed_anew(shelf, home):
    store = await shelf.filled("whales")
    home.clock.ms += 1
    await shelf.acts.add(home.caller, store.id, NewFiles(files=(("whales", {"v": 2.0}),)))
    await shelf.until_indexed(store)
    hits = await shelf.found(store, "sea")
    assert {hit.attributes["v"] for hit in hits} == {2.0}


async def test_bounds(home):
    shelf = Shelf(home, files_max=2)
    store = await shelf.filled("whales", "bread")
    with pytest.raises(ResourceExhausted, match="2 files at most"):
        await shelf.acts.add(home.caller, store.id, NewFiles(files=(("long", {}),)))
    full = Shelf(home, bytes_max=1)
    with pytest.raises(ResourceExhausted, match="delete some files"):
        await full.filled("long")
    long = Shelf(home, text_characters_max=100)
    told = await long.filled("long")
    assert "more than the 100 that are indexed" in (await long.acts.file("p", told.id, "long")).fault
    for each in (shelf, full, long):
        await each.indexer.close()


async def test_without_a_model_that_embeds_there_are_no_stores(home):
    shelf = Shelf(home)
    shelf.acts._served = lambda: Served((make.card("talks", engine="scripted"),))
    with pytest.raises(FailedPrecondition, match="No model that embeds"):
        await shelf.filled("whales")


async def test_what_a_process_has_left_is_indexed_by_the_next_and_paid_once(home, monkeypatch):
    monkeypatch.setattr("geminid.service.vector_indexing.WINDOWS_AT_ONCE", 4)
    first = Shelf(home)
    first.embedder.rounds_max = 2
    store = await first.filled("long", wait=False, cutting=Cutting(piece_tokens=100, overlap_tokens=0))
    await first.embedder.stuck.wait()
    await first.indexer.close()
    assert (await home.balance()).posted_nano == CREDIT  # nobody has these vectors
    second = Shelf(home, "two")
    await second.indexer.start()
    assert (await second.until_indexed(store)).counts == Counts(completed=1)
    words = len(TEXTS["long"].split())
    assert words * 1_000 <= CREDIT - (await home.balance()).posted_nano <= words * 1_200
    assert (await second.found(store, "whales", results_max=1))[0].file == "long"
    assert (await home.verified()).open_holds == 0
    await second.indexer.close()


@pytest.mark.parametrize("how", ["removed", "cancelled", "deleted"])
async def test_vectors_that_nobody_wants_any_more_cost_nothing(home, monkeypatch, how):
    monkeypatch.setattr("geminid.service.vector_indexing.WINDOWS_AT_ONCE", 4)
    shelf = Shelf(home)
    shelf.embedder.rounds_max = 2
    store = await shelf.filled("long", wait=False, batch="b")
    await shelf.embedder.stuck.wait()
    if how == "removed":
        await shelf.acts.remove("p", store.id, "long")
    elif how == "cancelled":
        await shelf.acts.cancel("p", store.id, "b")
    else:
        await shelf.acts.delete("p", store.id)
    shelf.embedder.go_on.set()
    await shelf.rest()
    assert (await home.balance()).posted_nano == CREDIT
    assert (await home.verified()).open_holds == 0
    assert await home.database.read(lambda c: c.execute(vector_contents.select()).all()) == []


class Paid:
    """A meter that is away for a while."""

    def __init__(self, away=0):
        self.away, self.paid, self.given_up = away, [], []

    async def pay(self, charge):
        if self.away:
            self.away -= 1
            raise Unavailable("Away.")
        self.paid.append(charge)

    async def give_up(self, charge):
        self.given_up.append(charge)


async def test_what_has_waited_long_is_paid_before_its_hold_ends(monkeypatch):
    monkeypatch.setattr("geminid.service.vector_bill.RETRY_S", 0)
    meter, now_s = Paid(away=2), 0.0
    bill = Bill(meter, lambda: now_s)
    await bill.add(None)
    await bill.add("a")
    now_s = PAID_WITHIN_S - 1
    await bill.add("b")
    assert meter.paid == []
    now_s = PAID_WITHIN_S
    await bill.add("c")
    assert meter.paid == ["a", "b", "c"]
    await bill.add("d")
    await bill.give_up()
    await bill.pay()
    assert (meter.paid, meter.given_up) == (["a", "b", "c"], ["d"])


async def test_what_a_living_process_indexes_is_left_to_it(home):
    row = Owner(id="one", host="h", pid=1, born_ms=0, heartbeat_ms=1)
    await home.database.write(lambda c: owners.beat(c, row))
    first, second = Shelf(home), Shelf(home, "two")
    first.reads.hold = asyncio.Event()
    store = await first.filled("whales", wait=False)
    await second.indexer.start()
    assert not second.indexer._tasks
    first.reads.hold.set()
    await first.until_indexed(store)
    for each in (first, second):
        await each.indexer.close()
