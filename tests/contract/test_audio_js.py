"""OpenAI's official JavaScript SDK, unmodified: the tests of ``js/audio.test.mjs``, one by one."""

import pytest

from contract.test_gemini_js import check, named, outcomes
from made.sounds import speech
from serving import serving

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    folder = tmp_path_factory.mktemp("js_sound")
    sound = speech(folder / "said.wav", "The delivery arrives on Friday.")
    with pytest.MonkeyPatch.context() as patch, serving(folder, "--model", "scripted", "--pull") as server:
        patch.setenv("CONTRACT_SOUND", str(sound))
        yield outcomes("audio.test.mjs", server.url)


@pytest.mark.parametrize("name", named("audio.test.mjs"))
def test_audio(name, heard):
    check(name, heard)


def test_every_javascript_test_is_known_here(heard):
    assert len(heard) == len(named("audio.test.mjs"))
