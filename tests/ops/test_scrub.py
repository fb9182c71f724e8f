import pytest
from visiona.ops.scrub import clean, mask_secrets, neutralise

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize("kind", ["vAc_", "vAs_", "vAp_", "vAo_"])
def test_s08_a_token_keeps_its_first_eight_characters_only(kind: str) -> None:
    assert mask_secrets(f"token {kind}{HEX} refused") == f"token {kind}0123… refused"
    broken = f"/x/{kind}{HEX[:20]}%{ord(HEX[20]):x}{HEX[21:]}/y"
    assert mask_secrets(broken) == f"/x/{kind}0123…/y"


@pytest.mark.parametrize(
    "text",
    [
        "GET /tunnel/connect?token=s3cret&x=1",
        "GET /tunnel/connect?a=b&access_token=s3cret HTTP/1.1",
        "token: s3cret",
        "{'session_token': 's3cret'}",
        '{"pairing_token": "s3cret"}',
        "Authorization: Bearer s3cret",
        "[(b'authorization', b'Bearer s3cret')]",
        "Authorization: Basic s3cret",
        "Cookie: a=s3cret; b=s3cret",
        "Set-Cookie: a=s3cret; Path=/",
        "[(b'cookie', b'visiona_session=s3cret; b=s3cret')]",
        "('set-cookie', 'a=s3cret')",
        "__Host-visiona_session=s3cret; x",
        "visiona_session=s3cret",
        "password=s3cret",
        "{'password': 's3cret words'}",
        '"client_secret": "s3cret"',
        "passwd: s3cret",
        "path=/api/devices/x/proxy/cgi-bin/mjpg?user=admin&pwd=s3cret&channel=1",
        "/stream?api_key=s3cret",
        "X-Api-Key: s3cret",
        "postgresql://user:s3cret@host/db",
        "VISIONA_DATABASE_PASSWORD=s3cret",
        "vAs%5Fs3crets3crets3cret",
        "PUT /storage/model-1?size=3&expires=1&signature=s3cret HTTP/1.1",
        "https://s3.example/models/x?X-Amz-Credential=AK%2F1&X-Amz-Signature=s3cret&x=1",
    ],
)
def test_s08_secrets_are_masked_in_every_spelling(text: str) -> None:
    assert "s3cret" not in mask_secrets(text).replace("s3cr…", "")


@pytest.mark.parametrize(
    "text",
    [
        "tunnel up device_id=0190 cause=replaced",
        "token_prefix=vAs_0123 was revoked",
        "the token was refused",
        "http://127.0.0.1:3721/api",
        "token=vAs_0123…&x=1",
    ],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert mask_secrets(text) == text


def test_what_follows_a_masked_query_value_stays_readable() -> None:
    assert mask_secrets("?token=abc&device=7") == "?token=***&device=7"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u2028b", r"a\u2028b"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\x00", r"\x00"),
        ("\ud800", r"\ud800"),
        ("裝置 é", "裝置 é"),
    ],
)
def test_s08_control_characters_are_spelled_out(text: str, shown: str) -> None:
    assert neutralise(text) == shown


def test_text_beyond_its_limit_is_cut_and_says_so() -> None:
    assert clean("x" * 100, 100) == "x" * 100
    assert clean("x" * 101, 100) == "x" * 100 + "… (1 characters more)"


def test_a_secret_cut_in_two_by_the_limit_is_still_masked() -> None:
    assert "s3c" not in clean("password=s3cret", 12)
