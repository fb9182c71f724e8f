"""What a request head says about an agent."""

import pytest
from visiona.relay.newcomer import Newcomer, path_of, read_newcomer
from visiona.relay.refusals import Refusal
from visiona.wire.http1.head import parse_request_head

from tests.support.relays import KEY, request

TOKEN = "vAs_" + "0" * 64


def read(data: bytes) -> Newcomer | Refusal:
    return read_newcomer(parse_request_head(data))


def test_a_newcomer_says_who_it_is_and_shows_its_token_to_nobody() -> None:
    newcomer = read(request(TOKEN, "X-Visiona-Agent: edge/1.2", "X-Visiona-Instance: i1"))
    assert newcomer == Newcomer(KEY.encode(), TOKEN, "edge/1.2", "i1")
    assert TOKEN not in repr(newcomer)


@pytest.mark.parametrize(
    ("target", "more", "token"),
    [
        (f"/tunnel/connect?token={TOKEN}", (), TOKEN),
        (f"/tunnel/connect?a=b&token={TOKEN}&token=other", (), TOKEN),
        ("/tunnel/connect?token=vAs%5F0", (), "vAs_0"),
        ("/tunnel/connect?token=one", ("Authorization: Bearer two",), "two"),
        ("/tunnel/connect?token=one", ("Authorization: Basic two",), "one"),
        ("/tunnel/connect", ("Authorization: bearer  three ",), "three"),
        ("/tunnel/connect?tokens=x", (), ""),
        (f"http://relay.example/tunnel/connect?token={TOKEN}", (), TOKEN),
    ],
)
def test_the_token_is_the_headers_or_else_the_querys(target: str, more: tuple[str, ...], token: str) -> None:
    newcomer = read(request(None, *more, target=target))
    assert isinstance(newcomer, Newcomer)
    assert newcomer.token == token


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("edge/1.2", "edge/1.2"),
        ("x" * 64, "x" * 64),
        ("x" * 65, None),
        ("\xe2\x80\xaeevil", "evil"),
        ("\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_what_an_agent_calls_itself_is_fit_to_be_shown(said: str, kept: str | None) -> None:
    newcomer = read(request(TOKEN, f"X-Visiona-Agent: {said}"))
    assert isinstance(newcomer, Newcomer)
    assert newcomer.agent_version == kept


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(TOKEN, target="/tunnel/connectx"), 404),
        (request(TOKEN, target="/"), 404),
        (request(TOKEN, method="DELETE"), 405),
        (request(TOKEN, "Origin: null"), 403),
        (request(TOKEN, leave_out="Upgrade"), 426),
    ],
)
def test_what_is_no_agent_is_refused(data: bytes, status: int) -> None:
    refusal = read(data)
    assert isinstance(refusal, Refusal)
    assert refusal.status == status


def test_a_path_has_no_query() -> None:
    assert path_of(parse_request_head(request(None, target="/a/b?token=x"))) == b"/a/b"
