import httpx
import pytest
from quart import request
from quart_trio import QuartTrio
from visiona.web.idp.loopback import builtin_transport


def echo_site() -> QuartTrio:
    site = QuartTrio(__name__)

    @site.route("/<path:path>", methods=["GET", "POST"])
    async def echo(path: str) -> dict[str, str]:
        body = await request.get_data(as_text=True)
        return {"path": request.path, "query": request.query_string.decode(), "body": body}

    return site


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:3721", "https://x.example", "https://x.example/a/b", "https://x.example/idp/x"]
)
async def test_the_provider_is_reached_whatever_the_public_base_is(base: str) -> None:
    async with httpx.AsyncClient(transport=builtin_transport(echo_site())) as client:
        answer = await client.post(f"{base}/idp/token?a=%2F&b=c", content=b"x=y")
    assert answer.json() == {"path": "/idp/token", "query": "a=%2F&b=c", "body": "x=y"}
    assert str(answer.request.url) == f"{base}/idp/token?a=%2F&b=c"


@pytest.mark.parametrize("path", ["/api/devices", "/", "/idp", "/idp/../api/devices"])
async def test_nothing_else_is_reached(path: str) -> None:
    async with httpx.AsyncClient(transport=builtin_transport(echo_site())) as client:
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get(f"http://127.0.0.1{path}")
