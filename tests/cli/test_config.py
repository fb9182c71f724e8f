from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_s07_an_unknown_key_is_said_with_did_you_mean(visiona: Run, tmp_path: Path) -> None:
    path = tmp_path / "visiona.toml"
    path.write_text("[web]\nlisen = ':1'\n[relay]\nping_seconds = 'x'\n", encoding="utf-8")
    for arguments in (("config", "check"), ("config", "show"), ("user", "list"), ("serve",)):
        refused = visiona(*arguments, "--config", str(path))
        assert refused.code == 2
        assert "[web] has no key lisen; did you mean listen? [CONFIG_INVALID]" in refused.err
        assert "relay.ping_seconds" in refused.err


def test_a_good_one_is_fine_and_warnings_do_not_fail(visiona: Run, tmp_path: Path) -> None:
    path = tmp_path / "visiona.toml"
    path.write_text("[database]\nurl = 'memory:'\n", encoding="utf-8")
    path.chmod(0o644)
    checked = visiona("--config", str(path), "config", "check")
    assert (checked.code, checked.out) == (0, "the configuration is fine\n")
    assert "chmod" in checked.err
    assert visiona("config", "check", "--json").json == {"ok": True, "faults": [], "warnings": []}
    refused = visiona("config", "check", "--json", "--set", "web.lisen=:1")
    assert (refused.code, refused.json["ok"]) == (2, False)
    assert refused.json["faults"] == ["--set web.lisen: no such key; did you mean web.listen?"]


def test_show_says_where_each_value_comes_from_and_no_secret(
    visiona: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONA_DATABASE_URL", "sqlite:////hush.db")
    shown = visiona("config", "show", "--origin", "--set", "web.rate_limits=no")
    assert "hush" not in shown.out
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert "environment VISIONA_DATABASE_URL" in lines["database.url"]
    assert "flag --set web.rate_limits" in lines["web.rate_limits"]
    assert lines["relay.listen"].split() == ["relay.listen", ":3800", "default"]
    as_json = visiona("config", "show", "--origin", "--json").json
    assert as_json["database.url"] == {"value": "********", "origin": "environment VISIONA_DATABASE_URL"}
    assert as_json["web.rate_limits"] == {"value": True, "origin": "default"}
    assert visiona("config", "show", "--json").json["web.rate_limits"] is True
    assert "ORIGIN" not in visiona("config", "show").out


def test_an_assignment_counts_wherever_it_stands(visiona: Run) -> None:
    shown = visiona(
        "--set",
        "web.listen=:1",
        "config",
        "--set",
        "relay.listen=:2",
        "show",
        "--set",
        "log.level=debug",
        "--json",
    )
    assert (shown.json["web.listen"], shown.json["relay.listen"], shown.json["log.level"]) == (
        ":1",
        ":2",
        "debug",
    )


def test_the_variable_names_the_file(visiona: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONA_CONFIG", str(tmp_path / "gone.toml"))
    assert "gone.toml: cannot be read" in visiona("config", "check").err
