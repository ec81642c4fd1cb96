"""Jobs whose lines another wire spells: the same work, with what was not answered in a file of its own."""

import asyncio
import json
from functools import partial

import pytest

from batching import ANSWER, PROMPT, bulk, proved, released
from geminid.core.batch import Inspection, LineFault, NewJob
from geminid.core.caller import Caller, Scopes
from geminid.core.errors import PermissionDenied, UnknownFile, UnknownModel
from geminid.core.file import File
from geminid.service.batches import UnknownBatch
from geminid.store import batches as rows
from geminid.store import files
from geminid.store.files import Kept
from geminid.wire.openai.batch_inspection import inspect
from money import MODEL, NOW_MS

CREDIT = 10**9
CHAT = "/v1/chat/completions"
FORMAT = f"{CHAT}@/v1"
NEW = NewJob(model="", file_id="in", format=FORMAT, expiry_ms=3_600_000)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'geminid.db'}"


def line(custom_id, text, **body):
    said = {"model": MODEL, "messages": [], "say": text, **body}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": said}).encode()


async def sent(made, lines):
    data = b"\n".join(lines)
    made.blobs.path("up").write_bytes(data)
    row = File(project="team", id="in", mime_type="text/plain", size_bytes=len(data), sha256_hex="",
               created_us=1, updated_us=1, expires_us=NOW_MS * 2000)  # fmt: skip
    await made.house.database.write(lambda c: files.add(c, Kept(row, "up")))


async def submit(made, team, lines, new=NEW):
    await sent(made, lines)
    return await made.batches.create(team, new, partial(inspect, CHAT))


async def settled(made, job):
    """The job once its results can be read."""
    async with asyncio.timeout(60):
        while True:
            now = await made.batches.get("team", job.id, (FORMAT,))
            if now.settled_ms is not None:
                return now
            await asyncio.sleep(0.01)


async def lines_of(made, file_id):
    _, path = await made.files.path("team", file_id)
    return [json.loads(each) for each in path.read_bytes().splitlines()]


async def test_what_was_not_answered_stands_in_a_file_of_its_own(url, tmp_path):
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        lines = [line(f"k{n}", "bad" if n % 3 == 0 else f"text {n}") for n in range(30)]
        job = await settled(made, await submit(made, team, lines))
        assert (job.state, job.succeeded, job.failed, job.model) == ("succeeded", 20, 10, MODEL)
        good, bad = await lines_of(made, job.output_id), await lines_of(made, job.error_id)
        assert [each["custom_id"] for each in good] == [f"k{n}" for n in range(30) if n % 3]
        assert [each["custom_id"] for each in bad] == [f"k{n}" for n in range(0, 30, 3)]
        assert {each["response"]["status_code"] for each in bad} == {400}
        assert (job.prompt_tokens, job.candidates_tokens) == (20 * PROMPT, 20 * ANSWER)
        assert job.created_ms <= job.started_ms <= job.finalizing_ms <= job.settled_ms == job.ended_ms
        await proved(made, "team", 20)
        assert {key for key in made.blobs.keys() if "." in key} == {  # noqa: SIM118
            f"{await blob_of(made, job)}.{part}" for part in ("output", "errors")
        }


async def blob_of(made, job):
    return (await made.house.database.read(lambda c: rows.find(c, "team", job.id))).blob


@pytest.mark.parametrize(("text", "there", "missing"), [("fine", "output_id", "error_id"),
                                                        ("bad", "error_id", "output_id")])  # fmt: skip
async def test_a_file_in_which_nothing_stands_is_none(url, tmp_path, text, there, missing):
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        job = await settled(made, await submit(made, team, [line("a", text)]))
        assert getattr(job, there)
        assert not getattr(job, missing)
        assert len(await lines_of(made, getattr(job, there))) == 1
        assert len([key for key in made.blobs.keys() if "." in key]) == 1  # noqa: SIM118


@pytest.mark.parametrize("state", ["cancelled", "expired"])
async def test_an_early_end_says_which_lines_it_left(url, tmp_path, state):
    async with bulk(url, tmp_path, at_once=2) as made:
        team = await made.house.project("team", CREDIT)
        job = await submit(made, team, [line("a", "1"), line("b", "hang"), line("c", "hang on")])
        await made.reaches(lambda: "hang on" in made.others[FORMAT].asked)
        if state == "cancelled":
            cancelled = await made.batches.cancel("team", job.id, (FORMAT,))
            assert (cancelled.state, cancelled.settled_ms) == ("cancelled", None)
        else:
            made.clock.ms = job.deadline_ms
        ended = await settled(made, job)
        assert (ended.state, ended.succeeded) == (state, 1)
        left = await lines_of(made, ended.error_id)
        assert [each["custom_id"] for each in left] == ["b", "c"]
        assert {each["error"]["code"] for each in left} == {f"batch_{state}"}
        await proved(made, "team", 1)


async def test_a_job_expires_when_its_caller_wants_it_to(url, tmp_path):
    async with bulk(url, tmp_path, start=False) as made:
        team = await made.house.project("team", CREDIT)
        job = await submit(made, team, [line("a", "one")])
        assert job.deadline_ms - job.created_ms == 3_600_000


async def test_lines_that_ask_the_same_have_receipts_of_their_own(url, tmp_path):
    async with bulk(url, tmp_path, ahead=4) as made:
        team = await made.house.project("team", CREDIT)
        job = await settled(made, await submit(made, team, [line(f"k{n}", "same") for n in range(20)]))
        receipts = [each["response"]["body"]["id"] for each in await lines_of(made, job.output_id)]
        paid = await made.house.rows("team")
        assert {f"chatcmpl-{row.id}" for row in paid} == set(receipts)
        assert made.others[FORMAT].asked == ["same"]
        assert {row.request for row in paid} == {f"batch:{job.id}:{n}" for n in range(20)}
        await proved(made, "team", 20)


async def test_another_process_goes_on_with_such_a_job_too(url, tmp_path):
    texts = [*(f"text {n}" for n in range(30)), "hang", *(f"more {n}" for n in range(30)), "bad"]
    lines = [line(f"k{n}", text) for n, text in enumerate(texts)]
    async with bulk(url, tmp_path, at_once=4, ahead=200) as made:
        team = await made.house.project("team", CREDIT)
        job = await submit(made, team, lines)
        await made.reaches(lambda: "hang" in made.others[FORMAT].asked)
    async with bulk(url, tmp_path, owner="two") as made:
        made.others[FORMAT].go.set()
        await released(made)
        ended = await settled(made, job)
        good = await lines_of(made, ended.output_id)
        assert [each["response"]["body"]["said"] for each in good] == texts[:-1]
        assert [each["custom_id"] for each in await lines_of(made, ended.error_id)] == [f"k{len(texts) - 1}"]
        assert ended.prompt_tokens == PROMPT * (len(texts) - 1)
        await proved(made, "team", len(texts) - 1)


async def test_a_file_with_faults_fails_from_the_start_and_leaves_nothing(url, tmp_path):
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        job = await submit(made, team, [line("a", "one"), b"{", line("a", "two")])
        assert (job.state, job.lines, job.output_id) == ("failed", 0, "")
        assert [(fault.code, fault.line) for fault in job.faults] == [
            ("invalid_json_line", 2),
            ("duplicate_custom_id", 3),
        ]
        assert await made.batches.get("team", job.id, (FORMAT,)) == job
        assert set(made.blobs.keys()) == {"up"}
        assert not await made.work.unclosed()
        assert not await made.house.rows("team")


async def test_a_key_that_may_not_ask_the_model_of_the_lines_is_refused(url, tmp_path):
    async with bulk(url, tmp_path, start=False) as made:
        await made.house.project("team", CREDIT)
        narrow = Caller(project="team", scopes=Scopes(models=("other",)))
        with pytest.raises(PermissionDenied):
            await submit(made, narrow, [line("a", "one")])
        assert set(made.blobs.keys()) == {"up"}


async def test_a_request_of_the_same_name_means_the_same_job(url, tmp_path):
    async with bulk(url, tmp_path, start=False) as made:
        team = await made.house.project("team", CREDIT)
        named = NewJob(
            **{name: getattr(NEW, name) for name in NEW.__struct_fields__ if name != "once"}, once="x"
        )
        first = await submit(made, team, [line("a", "one")], named)
        again = await made.batches.create(team, named, partial(inspect, CHAT))
        other = await made.batches.create(team, NEW, partial(inspect, CHAT))
        assert again.id == first.id != other.id
        elsewhere = await made.house.project("elsewhere", CREDIT)
        with pytest.raises(UnknownFile):
            await made.batches.create(elsewhere, named, partial(inspect, CHAT))


async def test_who_does_not_know_a_format_does_not_see_its_jobs(url, tmp_path):
    async with bulk(url, tmp_path, start=False) as made:
        team = await made.house.project("team", CREDIT)
        theirs, ours = await submit(made, team, [line("a", "one")]), await made.create(team, ["one"])
        for act in (made.batches.get, made.batches.cancel, made.batches.delete):
            with pytest.raises(UnknownBatch):
                await act("team", theirs.id)
        with pytest.raises(UnknownBatch):
            await made.batches.get("team", ours.id, (FORMAT,))
        assert [job.id for job in (await made.batches.page("team", 9)).jobs] == [ours.id]
        assert [job.id for job in (await made.batches.page("team", 9, None, (FORMAT,))).jobs] == [theirs.id]


async def test_a_job_whose_format_nobody_here_knows_waits_for_somebody_who_does(url, tmp_path):
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        strange = NewJob(model="", file_id="in", format="strange")
        await sent(made, [b"{}"])

        def anything(lines, known):
            return (
                Inspection(model=MODEL)
                if list(lines)
                else Inspection(faults=(LineFault(code="x", message="x"),))
            )

        job = await made.batches.create(team, strange, anything)
        await made.ended(await made.create(team, ["one"]))
        assert (await made.batches.get("team", job.id, ("strange",))).state == "pending"


async def test_lines_are_shown_whole_and_in_their_order_to_who_inspects_them(url, tmp_path):
    async with bulk(url, tmp_path, start=False, line_bytes_max=1_000) as made:
        team = await made.house.project("team", CREDIT)
        await sent(made, [b"one", b"", b"x" * 2_000, b"three"])
        seen = []

        def looking(lines, known):
            seen.extend(lines)
            with pytest.raises(UnknownModel):
                known("nosuch")
            return Inspection(faults=(LineFault(code="x", message="x"),))

        await made.batches.create(team, NEW, looking)
        assert [(bytes(each.data), each.size) for each in seen] == [(b"one", 4), (b"", 2_001), (b"three", 5)]
