import pytest

from geminid.engines.openvino.watchdog import Patience, Watchdog

PATIENCE = Patience(stalled_ms=10_000, silent_ms=60_000, load_ms=100_000)


def verdict(*looks, ready=True):
    """Feed (now, idle, frames, cpu) observations; return the last verdict."""
    watchdog, said = Watchdog(PATIENCE, 0.0), ""
    for now_s, idle, frames, cpu_s in looks:
        said = watchdog.look(now_s, ready=ready, idle=idle, frames=frames, cpu_s=cpu_s)
    return said


def test_an_idle_process_may_be_silent_for_ever():
    assert verdict((0, True, 1, 1.0), (1e6, True, 1, 1.0)) == ""


def test_silence_without_computing_is_a_hang():
    assert verdict((0, False, 1, 1.0), (9, False, 1, 1.0)) == ""
    assert "no sign of life" in verdict((0, False, 1, 1.0), (11, False, 1, 1.0))


def test_silence_with_computing_is_waited_for_much_longer():
    assert verdict((0, False, 1, 1.0), (30, False, 1, 20.0), (59, False, 1, 40.0)) == ""
    assert "silent" in verdict((0, False, 1, 1.0), (59, False, 1, 20.0), (61, False, 1, 21.0))


def test_frames_are_life():
    assert verdict((0, False, 1, 1.0), (9, False, 2, 1.0), (18, False, 3, 1.0)) == ""


def test_work_that_arrives_at_an_idle_process_gets_its_whole_time():
    assert verdict((0, True, 1, 1.0), (1000, True, 1, 1.0), (1009, False, 1, 1.0)) == ""


@pytest.mark.parametrize(("now_s", "late"), [(99, False), (101, True)])
def test_loading_has_its_own_patience(now_s, late):
    assert bool(verdict((now_s, False, 0, 0.0), ready=False)) == late
