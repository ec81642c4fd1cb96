import pytest

import make
from geminid.core.errors import FailedPrecondition, Unavailable
from geminid.core.usage import Usage
from geminid.engines.openvino import fleet as module
from geminid.engines.openvino.fleet import PROCESS_BYTES, Fleet, FleetConfig
from unit_fakes import FakeModelEngine

GIB = 1024**3
ONE = GIB + PROCESS_BYTES


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """A fleet in whose memory two models fit, and which has no weights of ``missing``."""
    monkeypatch.setattr(module, "ModelEngine", FakeModelEngine)
    config = FleetConfig(cache=tmp_path, memory_bytes_max=2 * ONE + 1000, kv_cache_gib=1)
    return Fleet(config, lambda card: None if card.name == "missing" else tmp_path)


def names(fleet):
    return [state.model for state in fleet.states()]


async def test_models_are_loaded_when_they_are_first_asked_for(fleet):
    assert names(fleet) == []
    assert await fleet.count(make.card("a"), make.request()) == Usage(prompt=3)
    await fleet.ready(make.card("b"))
    assert names(fleet) == ["a", "b"]


async def test_the_least_recently_used_idle_model_makes_room(fleet):
    for name in ("a", "b", "a", "c"):
        await fleet.count(make.card(name), make.request())
    assert names(fleet) == ["a", "c"]


async def test_a_model_that_answers_is_never_taken_away(fleet):
    async with fleet.generate(make.card("a"), make.request()), fleet.generate(make.card("b"), make.request()):
        with pytest.raises(Unavailable, match="No memory for c"):
            await fleet.count(make.card("c"), make.request())
        assert names(fleet) == ["a", "b"]
    await fleet.count(make.card("c"), make.request())
    assert names(fleet) == ["b", "c"]


async def test_a_model_that_only_answers_lines_of_batches_makes_room_for_others(fleet):
    line = make.request(tier="batch")
    async with fleet.generate(make.card("a"), line), fleet.generate(make.card("b"), make.request()):
        await fleet.ready(make.card("c"))
        assert names(fleet) == ["b", "c"]


async def test_lines_of_batches_make_no_model_go_that_somebody_has_just_used(fleet):
    now_s, line = [1000.0], make.request(tier="batch")
    fleet._now_s = lambda: now_s[0]
    await fleet.ready(make.card("a"))
    await fleet.ready(make.card("b"))
    with pytest.raises(Unavailable):
        async with fleet.generate(make.card("c"), line):
            pass
    now_s[0] += module.KEPT_S + 1
    async with fleet.generate(make.card("c"), line):
        assert names(fleet) == ["b", "c"]


async def test_weights_that_are_not_here_are_told_with_the_command_that_brings_them(fleet):
    with pytest.raises(FailedPrecondition, match="geminid pull missing"):
        await fleet.ready(make.card("missing"))


async def test_closing_stops_every_model(fleet):
    await fleet.ready(make.card("a"))
    engine = fleet._engines["a"]
    await fleet.close()
    assert engine.closed
    assert names(fleet) == []


async def test_a_model_with_eyes_is_given_the_memory_to_look(fleet):
    await fleet.ready(make.card("a"))
    await fleet.ready(make.card("b", sees=True))
    assert names(fleet) == ["b"]
