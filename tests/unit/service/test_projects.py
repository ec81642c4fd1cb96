import pytest

from administering import administering
from geminid.billing.limits import TIERS
from geminid.core.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from geminid.service.limits import LimitChange, RateChange, SpendingChange
from geminid.service.projects import ProjectChange, UnknownProject


@pytest.fixture
async def room(tmp_path):
    async with administering(tmp_path) as opened:
        yield opened


async def test_there_is_a_default_project_without_limits(room):
    project = await room.acts.projects.get("default")
    assert (project.mode, project.tier) == ("postpaid", "unlimited")
    with pytest.raises(FailedPrecondition):
        await room.acts.projects.delete("test", "default")


async def test_a_project_is_made_changed_and_found(room):
    await room.acts.projects.create("test", "team", title="The team", mode="prepaid", tier="1")
    changed = await room.acts.projects.update("test", "team", ProjectChange(title="Team", tier="2"))
    assert (changed.title, changed.mode, changed.tier) == ("Team", "prepaid", "2")
    assert await room.acts.projects.get("team") == changed


async def test_a_deleted_project_is_as_one_that_never_was_but_its_name_is_not_given_again(room):
    await room.acts.projects.create("test", "team")
    await room.acts.projects.delete("test", "team")
    with pytest.raises(UnknownProject) as gone:
        await room.acts.projects.get("team")
    with pytest.raises(UnknownProject) as never:
        await room.acts.projects.get("teem")
    assert gone.value.message.replace("team", "teem") == never.value.message
    with pytest.raises(AlreadyExists):
        await room.acts.projects.create("test", "team")


@pytest.mark.parametrize("name", ["", "a", "Team", "1team", "team-", "te am", "t" * 64, "../etc", "téam"])
async def test_names_of_projects_are_narrow(room, name):
    with pytest.raises(InvalidArgument, match="id must be 3 to 63"):
        await room.acts.projects.create("test", name)


async def test_projects_are_listed_in_pages(room):
    names = sorted(f"team-{n}" for n in range(5))
    for name in names:
        await room.acts.projects.create("test", name)
    seen, after = [], ""
    while True:
        page = await room.acts.projects.page(2, after)
        assert len(page.items) <= 2
        seen += [project.id for project in page.items]
        if not (after := page.next):
            break
    assert seen == ["default", *names]


async def test_limits_go_over_the_tiers_and_back(room):
    await room.acts.projects.create("test", "team", tier="free")
    change = LimitChange(
        every_model=RateChange(rpm=7, tpm=None),
        models={"m": RateChange(concurrent=2)},
        spending=SpendingChange(day_nano=5),
    )
    await room.acts.limits.change("test", "team", change)
    standing = (await room.acts.projects.get("team")).standing
    assert (standing.limits_of("any").rpm, standing.limits_of("any").tpm) == (7, None)
    assert (standing.limits_of("m").rpm, standing.limits_of("m").concurrent) == (7, 2)
    assert standing.whole.spend_day == 5
    await room.acts.limits.change(
        "test", "team", LimitChange(every_model=RateChange(rpm="tier"), models={"m": None})
    )
    standing = (await room.acts.projects.get("team")).standing
    assert standing.limits_of("m").rpm == TIERS["free"].rpm
    assert standing.limits_of("m").concurrent is None
    assert standing.limits_of("m").tpm is None


async def test_one_change_leaves_the_others_alone(room):
    await room.acts.projects.create("test", "team")
    await room.acts.limits.change("test", "team", LimitChange(models={"a": RateChange(rpm=1)}))
    limits = await room.acts.limits.change(
        "test", "team", LimitChange(models={"b": RateChange(rpm=2)}, tier="1")
    )
    assert {name: each.rpm for name, each in limits.rules.models.items()} == {"a": 1, "b": 2}
    assert limits.tier == "1"


@pytest.mark.parametrize(
    "change",
    [
        LimitChange(every_model=RateChange(rpm=-1)),
        LimitChange(models={"": RateChange(rpm=1)}),
        LimitChange(models={f"m{n}": RateChange(rpm=1) for n in range(201)}),
        LimitChange(spending=SpendingChange(month_nano=2**63)),
    ],
)
async def test_senseless_limits_change_nothing(room, change):
    await room.acts.projects.create("test", "team")
    before = await room.acts.limits.get("team")
    with pytest.raises(InvalidArgument):
        await room.acts.limits.change("test", "team", change)
    assert await room.acts.limits.get("team") == before
