import os
from pathlib import Path

import pytest
from visiona.config import ConfigInvalid, load, read
from visiona.config.keys import all_keys
from visiona.config.loading import default_state_dir
from visiona.config.settings import LATER, SECTIONS
from visiona.domain.listen import ListenAddress


def written(folder: Path, text: str) -> Path:
    path = folder / "visiona.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def faults_of(path: Path | None, environ: dict[str, str], *, flags: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        read(path, environ, None, flags)
    return caught.value.faults


def test_nothing_said_is_a_whole_configuration() -> None:
    settings = load(None, {"STATE_DIRECTORY": "/state/a:/state/b"})
    assert settings.state_dir == Path("/state/a")
    assert settings.stores.state_dir == Path("/state/a")
    assert settings.web.listen == ListenAddress(None, 3721)
    assert settings.relay.listen == ListenAddress(None, 3800)
    assert settings.internal.listen == ListenAddress("127.0.0.1", 3801)
    assert settings.web.rate_limits


def test_of_two_flags_for_one_key_the_last_counts() -> None:
    assert read(None, {}, None, ["web.listen=:1", "web.listen=:2"]).settings.web.listen.port == 2


def test_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        state_dir = "/from/file"
        [web]
        listen = "127.0.0.1:1"
        public_url = "https://file.example"
        rate_limits = false
        [log]
        level = "debug"
        """,
    )
    environ = {"VISIONA_WEB_LISTEN": "127.0.0.1:2", "VISIONA_WEB_PUBLIC_URL": "https://env.example"}
    loaded = read(path, environ, None, ["web.listen=127.0.0.1:3"])
    assert loaded.settings.web.listen.port == 3
    assert loaded.settings.web.public_url == "https://env.example"
    assert loaded.settings.web.rate_limits is False
    assert loaded.settings.state_dir == Path("/from/file")
    assert loaded.origins["web.listen"] == "flag --set web.listen"
    assert loaded.origins["web.public_url"] == "environment VISIONA_WEB_PUBLIC_URL"
    assert loaded.origins["web.rate_limits"] == f"file {path}"
    assert loaded.origins["relay.listen"] == "default"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("VISIONA_STATE_DIR", "/elsewhere", "state_dir"),
        ("VISIONA_WEB_LISTEN", "[::1]:0", "web.listen"),
        ("VISIONA_RELAY_LISTEN", ":0", "relay.listen"),
        ("VISIONA_INTERNAL_LISTEN", "127.0.0.1:0", "internal.listen"),
        ("VISIONA_RELAY_PUBLIC_URL", "wss://relay.example", "relay.public_url"),
        ("VISIONA_DATABASE_URL", "memory:", "database.url"),
        ("VISIONA_WEB_RATE_LIMITS", "false", "web.rate_limits"),
    ],
)
def test_the_documented_variables_are_the_keys(name: str, text: str, expected: str) -> None:
    loaded = read(None, {name: text})
    assert loaded.origins[expected] == f"environment {name}"


def test_s07_every_fault_is_said_at_once_with_did_you_mean(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        stat_dir = "/x"
        web = 3
        [reley]
        listen = ":1"
        [relay]
        lisen = ":1"
        dead_seconds = "long"
        [log]
        level = 5
        """,
    )
    faults = faults_of(path, {"VISIONA_WEB_LISTNE": ":1", "VISIONA_WEB_RATE_LIMITS": "perhaps"})
    text = "\n".join(faults)
    assert "no such key: stat_dir; did you mean state_dir?" in text
    assert "web is a section; write [web]" in text
    assert "no such section: reley; did you mean relay?" in text
    assert "[relay] has no key lisen; did you mean listen?" in text
    assert "relay.dead_seconds" in text
    assert "expected a number" in text
    assert "log.level" in text
    assert "VISIONA_WEB_LISTNE: no such setting; did you mean VISIONA_WEB_LISTEN?" in text
    assert (
        "web.rate_limits (environment VISIONA_WEB_RATE_LIMITS) is 'perhaps': expected true or false" in text
    )
    assert len(faults) == 8


def test_values_that_are_wrong_only_together_are_faults_too() -> None:
    faults = faults_of(
        None,
        {
            "VISIONA_RELAY_DEAD_SECONDS": "5",
            "VISIONA_WEB_PUBLIC_URL": "ftp://x",
            "VISIONA_DATABASE_URL": "mysql://u:hush@h/d",
        },
    )
    assert len(faults) == 3
    assert faults[0].startswith("[web] public_url")
    assert not any("hush" in fault for fault in faults)


@pytest.mark.parametrize(
    "text", ["[web", "[web]\nlisten = '\n", "a = 1\na = 2", "[web]\n" + "x=" + "[" * 100_000]
)
def test_a_file_that_is_no_toml_is_one_fault(tmp_path: Path, text: str) -> None:
    assert "not valid TOML" in faults_of(written(tmp_path, text), {})[0]


def test_a_missing_or_foreign_file_is_one_fault(tmp_path: Path) -> None:
    assert "cannot be read" in faults_of(tmp_path / "none.toml", {})[0]
    large = tmp_path / "large"
    large.write_bytes(b"#" * 1_100_000)
    assert "larger than" in faults_of(large, {})[0]
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "not valid TOML" in faults_of(binary, {})[0]


def test_a_flag_must_name_a_key() -> None:
    faults = faults_of(None, {}, flags=("web.lissten=:1", "nonsense"))
    assert "did you mean web.listen?" in faults[0]
    assert "--set section.key=value" in faults[1]


def test_a_secret_comes_from_a_credential_first_then_its_file_twin(tmp_path: Path) -> None:
    (tmp_path / "database_url").write_text("sqlite:////credential.db\n", encoding="utf-8")
    twin = tmp_path / "twin"
    twin.write_text("sqlite:////twin.db\n", encoding="utf-8")
    twin.chmod(0o600)
    environ = {"VISIONA_DATABASE_URL_FILE": str(twin)}
    assert read(None, environ, tmp_path).settings.stores.url == "sqlite:////credential.db"
    loaded = read(None, environ)
    assert loaded.settings.stores.url == "sqlite:////twin.db"
    assert loaded.origins["database.url"] == "environment VISIONA_DATABASE_URL_FILE"
    assert list(loaded.warnings) == []


def test_s07_a_secret_file_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    twin.write_text("memory:", encoding="utf-8")
    twin.chmod(0o644)
    warnings = read(None, {"VISIONA_DATABASE_URL_FILE": str(twin)}).warnings
    assert len(warnings) == 1
    assert "chmod o-r" in warnings[0]
    path = written(tmp_path, '[database]\nurl = "memory:"\n')
    path.chmod(0o644)
    assert "it holds database.url" in read(path, {}).warnings[0]


def test_a_secret_and_its_twin_together_are_a_fault(tmp_path: Path) -> None:
    environ = {"VISIONA_DATABASE_URL": "memory:", "VISIONA_DATABASE_URL_FILE": str(tmp_path / "none")}
    faults = faults_of(None, environ)
    assert "both set" in faults[0]
    assert "cannot be read" in faults[1]


def test_a_section_of_a_later_version_is_said_to_do_nothing_and_is_no_fault(tmp_path: Path) -> None:
    text = "".join(f"[{section}]\nurl = 'x'\n" for section in LATER)
    path = written(tmp_path, text)
    environ = {"VISIONA_CHANNELS_URL": "wss://chat.example", "VISIONA_CLUSTER_KEY": "hush"}
    warnings = "\n".join(read(path, environ, None, ["cluster.nodes=3"]).warnings)
    for section in LATER:
        assert f"{path}: [{section}]: nothing reads it yet" in warnings
    assert "environment VISIONA_CHANNELS_URL: nothing reads it yet: it is for chat channels" in warnings
    assert "--set cluster.nodes: nothing reads it yet" in warnings
    assert "hush" not in warnings
    assert not set(LATER) & set(SECTIONS)


def test_a_variable_that_looks_like_ours_and_is_none_is_a_warning() -> None:
    warnings = read(None, {"VISIONA_WBE_LISTEN": ":1", "VISIONA_AGENT_TARGET": "x"}).warnings
    assert list(warnings) == [
        "environment VISIONA_WBE_LISTEN: no such setting; did you mean VISIONA_WEB_LISTEN?"
    ]


def test_variables_of_the_agent_and_of_others_are_let_alone() -> None:
    load(None, {"VISIONA_AGENT_TARGET": "x", "PATH": "/bin", "VISIONARY": "y", "VISIONA_CONFIG": "z"})


def test_the_state_directory_is_the_users_own_where_the_systems_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert default_state_dir({"HOME": "/home/u"}) == Path("/home/u/.local/state/visiona")
    assert default_state_dir({"HOME": "/home/u", "XDG_STATE_HOME": "/x"}) == Path("/x/visiona")
    monkeypatch.setattr("os.access", lambda path, mode: True)
    assert default_state_dir({}) == Path("/var/lib/visiona")


def test_every_key_has_one_name_and_one_variable() -> None:
    keys = all_keys().values()
    assert len({key.environment for key in keys}) == len(keys)
    assert all_keys()["database.url"].is_secret


def test_what_the_service_manager_says_comes_from_its_variables_and_only_for_us() -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    manager = load(None, environ).manager
    assert (manager.notify_socket, manager.watchdog_usec) == ("/run/notify", 30_000_000)
    assert load(None, environ | {"WATCHDOG_PID": "1"}).manager.watchdog_usec is None
    assert load(None, {}).manager.notify_socket is None


def test_p10_secrets_of_the_sign_in_come_as_credentials_and_are_never_in_a_fault(tmp_path: Path) -> None:
    (tmp_path / "session_key").write_text("hush" * 8 + "\n")
    (tmp_path / "oidc_client_secret").write_text("hush\n")
    settings = load(None, {}, tmp_path)
    assert (settings.session.key, settings.oidc.client_secret) == ("hush" * 8, "hush")
    assert "hush" not in f"{settings}"
    (fault,) = faults_of(None, {"VISIONA_SESSION_KEY": "hush"})
    assert fault == "[session] key must have at least 32 characters"


def test_redis_is_a_section_of_its_own_and_the_stores_have_it() -> None:
    settings = load(None, {"VISIONA_REDIS_URL": "redis://:hush@cache/1", "VISIONA_REDIS_POOL_SIZE": "3"})
    assert settings.stores.redis.url == "redis://:hush@cache/1"
    assert settings.stores.redis.pool_size == 3
    faults = faults_of(None, {"VISIONA_REDIS_URL": "http://:hush@cache", "VISIONA_REDIS_POOL_SIZE": "0"})
    assert [fault.partition(":")[0] for fault in faults] == ["redis.url", "redis.pool_size"]
    assert "hush" not in "".join(faults)


def test_mails_need_an_address_that_their_links_are_made_of(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hush\n", encoding="utf-8")
    secret.chmod(0o600)
    environ = {
        "VISIONA_MAIL_HOST": "mail.example.com",
        "VISIONA_MAIL_FROM_ADDRESS": "visiona@example.com",
        "VISIONA_MAIL_USER": "visiona",
        "VISIONA_MAIL_PASSWORD_FILE": str(secret),
    }
    assert faults_of(None, environ) == ["[mail] needs web.public_url: the links in mails are made of it"]
    mail = load(None, {**environ, "VISIONA_WEB_PUBLIC_URL": "https://v.example"}).mail
    assert (mail.password, mail.port_or_usual) == ("hush", 587)
