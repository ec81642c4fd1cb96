import msgspec
import pytest

from geminid.config import Config, ConfigError, load, settings


def write(tmp_path, text):
    path = tmp_path / "geminid.toml"
    path.write_text(text)
    return path


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path):
    file = write(tmp_path, '[server]\nport = 1\nhost = "::1"\n[engine]\nthreads = 3\n')
    environ = {"GEMINID_SERVER_PORT": "2", "GEMINID_SERVER_HOST": "127.0.0.2"}
    config, effective = load(file, environ, {"server.port": 4, "server.strict": None})
    assert (config.server.port, config.server.host, config.engine.threads) == (4, "127.0.0.2", 3)
    sources = {each.setting.name: each.source for each in effective}
    assert sources["server.port"] == "flag"
    assert sources["server.host"] == "GEMINID_SERVER_HOST"
    assert sources["engine.threads"] == str(file)
    assert sources["server.strict"] == "default"


def test_without_any_layer_the_defaults_hold():
    assert load(None, {})[0] == Config()


def test_all_mistakes_are_told_at_once(tmp_path):
    file = write(tmp_path, '[server]\nport = "x"\nprot = 1\n[engine]\nthreads = -1\n[sever]\na = 1\n')
    environ = {"GEMINID_LOG_LEVEL": "loud", "GEMINID_SERVER_PROT": "1"}
    with pytest.raises(ConfigError) as wrong:
        load(file, environ)
    told = "\n".join(wrong.value.mistakes)
    for name in (
        "server.port",
        "server.prot",
        "engine.threads",
        "sever.a",
        "log.level",
        "GEMINID_SERVER_PROT",
    ):
        assert name in told
    assert len(wrong.value.mistakes) == 6


@pytest.mark.parametrize("text", ["[server", "\xff", "a = 1"])
def test_a_file_that_cannot_be_read_is_a_mistake_like_others(tmp_path, text):
    path = tmp_path / "geminid.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"geminid\.toml"):
        load(path, {})


def test_lists_come_from_the_environment_with_commas():
    config, _ = load(None, {"GEMINID_SERVER_KEYS": "sk-a, sk-b,", "GEMINID_LOG_ACCESS": "false"})
    assert config.server.keys == ("sk-a", "sk-b")
    assert config.log.access is False


def test_every_setting_says_what_it_means():
    assert [each.name for each in settings() if not each.description.endswith(".")] == []


def test_the_declared_settings_are_all_fields_of_the_config():
    declared = {
        f"{section.name}.{field.name}"
        for section in msgspec.structs.fields(Config)
        for field in msgspec.structs.fields(section.type)
    }
    assert {each.name for each in settings()} == declared


def test_weights_lie_in_the_data_directory_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load(None, {})[0].cache() == tmp_path / "geminid" / "cache"
    assert load(None, {}, {"server.data": "/d"})[0].cache().as_posix() == "/d/cache"
    assert load(None, {}, {"server.data": "/d", "catalog.cache": "/c"})[0].cache().as_posix() == "/c"
