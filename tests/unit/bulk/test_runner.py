"""Jobs at work: every line has one result in its place and is paid once, whatever happens."""

import asyncio
import json

import pytest

from batching import COST_NANO, bulk, proved, released
from geminid.store import outbox

CREDIT = 10**9


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'geminid.db'}"


async def test_results_stand_in_the_order_of_the_lines_and_each_was_paid_once(database_url, tmp_path):
    async with bulk(database_url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        texts = [f"{n * 7 % 100} text {n}" for n in range(150)]
        job = await made.create(team, texts)
        results = await made.results(job)
        assert [each["response"]["said"] for each in results] == texts
        assert [each["metadata"]["key"] for each in results] == [f"k{n}" for n in range(150)]
        ended = await made.batches.get("team", job.id)
        assert (ended.state, ended.succeeded, ended.failed, ended.pending) == ("succeeded", 150, 0, 0)
        assert made.answerer.most <= 8
        await proved(made, "team", 150)
        assert not any(key.endswith(("input", "journal", "index", "seen")) for key in set(made.blobs.keys()))


async def test_a_bad_line_costs_itself_alone(url, tmp_path):
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        texts = ["good", b"{broken", "bad", b'{"metadata":{"key":"x"}}', b'{"request":{"say":"' + b"x" * 1_000 + b'"}}',
                 b"\xff\xfe", "fine"]  # fmt: skip
        results = await made.results(await made.create(team, texts))
        assert ["response" in each for each in results] == [True, *[False] * 5, True]
        assert results[2]["error"] == {"code": 3, "message": "It is bad."}
        assert results[3]["metadata"] == {"key": "x"}
        assert "1000" in results[4]["error"]["message"]
        await proved(made, "team", 2)


async def test_a_job_without_a_single_request_fails_as_a_whole(url, tmp_path):
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        ended = await made.ended(await made.create(team, [b"no", b"{}"]))
        assert (ended.state, ended.fault_code, ended.output) == ("failed", "INVALID_ARGUMENT", False)


@pytest.mark.parametrize(("duplicates", "paid"), [("charged", 90), ("free", 33)])
async def test_lines_that_ask_the_same_are_computed_once(url, tmp_path, duplicates, paid):
    async with bulk(url, tmp_path, duplicates=duplicates, ahead=10) as made:
        team = await made.house.project("team", CREDIT)
        texts = ["same", "chance", f"one {0}"] * 30
        texts[2::3] = [f"one {n % 2}" for n in range(30)]
        job = await made.create(team, texts)
        results = await made.results(job)
        assert [each["response"]["said"] for each in results] == texts
        assert sorted(made.answerer.asked) == ["chance"] * 30 + ["one 0", "one 1", "same"]
        receipts = [each["response"]["responseId"] for each in results]
        rows = {row.id: row for row in await made.house.rows("team")}
        assert len(receipts) == len(rows)
        assert set(receipts) == set(rows)
        copies = [row for row in rows.values() if "geminid-duplicate-of" in row.labels]
        assert len(copies) == 57
        assert {row.outcome for row in copies} == {"finished" if duplicates == "charged" else "duplicate"}
        await proved(made, "team", paid)


async def test_a_refusal_that_passes_is_tried_again(url, tmp_path):
    async with bulk(url, tmp_path) as made:
        made.answerer.full = 1
        team = await made.house.project("team", CREDIT)
        results = await made.results(await made.create(team, ["full", "a", "b"]))
        assert [each["response"]["said"] for each in results] == ["full", "a", "b"]
        await proved(made, "team", 3)


async def test_a_line_that_kills_engines_costs_itself_alone(url, tmp_path, monkeypatch):
    monkeypatch.setattr("geminid.bulk.job.PAUSES_S", (0.01,))
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        results = await made.results(await made.create(team, ["a", "poison", "b"]))
        assert results[1]["error"]["code"] == 14
        assert made.answerer.asked.count("poison") == 5
        await proved(made, "team", 2)


async def test_without_credits_a_job_waits_and_goes_on_when_there_are_some(url, tmp_path, monkeypatch):
    monkeypatch.setattr("geminid.bulk.job.PAUSES_S", (0.01,))
    monkeypatch.setattr("geminid.bulk.job.TELL_S", 0.02)
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", 3 * COST_NANO)
        job = await made.create(team, [f"text {n}" for n in range(5)])

        async def waits():
            while "credits" not in (await made.batches.get("team", job.id)).note:
                await asyncio.sleep(0.01)

        await asyncio.wait_for(waits(), 60)
        await top_up(made, 10 * COST_NANO)
        assert len([each for each in await made.results(job) if "response" in each]) == 5
        await proved(made, "team", 5)


async def top_up(made, nano):
    from geminid.billing.orders import Credit
    from geminid.service.credits import Credits

    await Credits(made.house.database).enter("t", "team", Credit(kind="top_up", key="2", amount_nano=nano))


@pytest.mark.parametrize("state", ["cancelled", "expired"])
async def test_an_early_end_keeps_what_is_answered_and_says_so_of_the_rest(url, tmp_path, state):
    async with bulk(url, tmp_path, at_once=2) as made:
        team = await made.house.project("team", CREDIT)
        job = await made.create(team, ["1", "2", "3", "hang", "hang on", *map(str, range(4, 40))])
        await made.reaches(lambda: "hang on" in made.answerer.asked)
        if state == "cancelled":
            assert (await made.batches.cancel("team", job.id)).state == "cancelled"
        else:
            made.clock.ms = job.deadline_ms
        results = await made.results(job)
        ended = await made.batches.get("team", job.id)
        assert (ended.state, ended.succeeded) == (state, len([1 for each in results if "response" in each]))
        assert [each["metadata"]["key"] for each in results] == [f"k{n}" for n in range(41)]
        code = {"cancelled": 1, "expired": 4}[state]
        assert {each["error"]["code"] for each in results if "error" in each} == {code}
        await proved(made, "team", ended.succeeded)


async def test_another_process_goes_on_where_one_was_stopped(url, tmp_path):
    texts = [*(f"text {n}" for n in range(40)), "hang", *(f"more {n}" for n in range(40))]
    async with bulk(url, tmp_path, at_once=4, ahead=200) as made:
        team = await made.house.project("team", CREDIT)
        job = await made.create(team, texts)
        await made.reaches(lambda: "hang" in made.answerer.asked)
        first = set(made.answerer.asked)
    async with bulk(url, tmp_path, owner="two") as made:
        made.answerer.go.set()
        await released(made)
        results = await made.results(job)
        assert [each["response"]["said"] for each in results] == texts
        assert len(made.answerer.asked) < len(texts)
        assert set(made.answerer.asked) & first <= {"hang", *(f"text {n}" for n in range(40)),
                                                      *(f"more {n}" for n in range(40))}  # fmt: skip
        await proved(made, "team", len(texts))


async def test_what_was_kept_and_not_paid_is_paid_once_by_whoever_comes_next(url, tmp_path, monkeypatch):
    texts = [f"text {n}" for n in range(30)]

    async def dies(charge):
        await asyncio.sleep(3600)

    async with bulk(url, tmp_path, ahead=40) as made:
        team = await made.house.project("team", CREDIT)
        monkeypatch.setattr(made.house.meter, "pay", dies)
        job = await made.create(team, texts)
        journal = made.blobs.path((await made.work.unclosed())[0].key("journal"))
        await made.reaches(lambda: len(made.answerer.asked) == 30 and journal.stat().st_size)
    for owner in ("two", "three"):
        async with bulk(url, tmp_path, owner=owner) as made:
            results = await made.results(job)
            assert [each["response"]["said"] for each in results] == texts
            await released(made)
            await proved(made, "team", 30)


async def test_projects_take_turns_and_priority_counts_within_one(url, tmp_path):
    async with bulk(url, tmp_path, at_once=1, ahead=100) as made:
        one, two = await made.house.project("one", CREDIT), await made.house.project("two", CREDIT)
        blocker = await made.create(one, ["hang"])
        await made.reaches(lambda: made.answerer.running == 1)
        made.clock.ms += 1
        low = await made.create(one, [f"low {n}" for n in range(10)])
        high = await made.create(one, [f"high {n}" for n in range(10)], priority=5)
        other = await made.create(two, [f"other {n}" for n in range(20)], priority=-5)
        await made.reaches(lambda: len(made.runner._jobs) == 4)
        assert (await made.batches.outlook(low)).position == 2
        made.answerer.go.set()
        for job in (blocker, low, high, other):
            await made.ended(job)
        asked = [text.split()[0] for text in made.answerer.asked[1:]]
        assert asked.index("low") > max(n for n, text in enumerate(asked) if text == "high")
        together = asked[: 2 * asked.count("high")]
        assert abs(together.count("other") - together.count("high")) <= 2


async def test_a_job_of_a_file_ends_in_a_file_and_tells_who_wants_to_know(url, tmp_path):
    from geminid.core.batch import NewJob, Webhook
    from geminid.core.file import File
    from geminid.store import files
    from geminid.store.files import Kept
    from money import MODEL, NOW_MS

    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        data = b'\xef\xbb\xbf{"key":"a","request":{"say":"x"}}\r\n\n  \n{"request":{"say":"y"},"key":"a"}'
        made.blobs.path("up").write_bytes(data)
        file = File(project="team", id="in", mime_type="text/plain", size_bytes=len(data), sha256_hex="",
                    created_us=1, updated_us=1, expires_us=NOW_MS * 2000)  # fmt: skip
        await made.house.database.write(lambda c: files.add(c, Kept(file, "up")))
        hook = Webhook(uris=("https://caller.example/x",))
        job = await made.batches.create(team, NewJob(model=MODEL, file_id="in", webhook=hook))
        made.blobs.remove("up")  # the job has its own
        results = await made.results(job)
        assert [(each["key"], each["response"]["said"]) for each in results] == [("a", "x"), ("a", "y")]
        output = await made.files.get("team", f"batch-{job.id}")
        assert (output.source, output.state) == ("generated", "active")
        sent = await made.house.database.write(lambda c: outbox.take(c, NOW_MS * 2, NOW_MS * 3, 9))
        assert {(each.url, each.guarded) for each in sent} == {
            ("https://caller.example/x", True),
            ("http://operator.example/hook", False),
        }
        told = json.loads(sent[0].body)
        assert (told["type"], told["data"]["id"]) == ("batch.succeeded", f"batches/{job.id}")
        assert told["data"]["output_file_uri"] == f"files/batch-{job.id}"


async def test_a_deleted_job_goes_on_unseen_and_leaves_nothing(url, tmp_path):
    async with bulk(url, tmp_path) as made:
        team = await made.house.project("team", CREDIT)
        job = await made.create(team, ["a", "hang"])
        await made.reaches(lambda: "hang" in made.answerer.asked)
        await made.batches.delete("team", job.id)
        assert not (await made.batches.page("team", 9)).jobs
        made.answerer.go.set()
        await made.reaches(lambda: not made.blobs.keys())
        await proved(made, "team", 2)
