import pytest

from tests.web.device_rig import echo, open_rig

LAYERS = pytest.mark.parametrize("layer", ["door", "asgi"])


@LAYERS
async def test_a_request_reaches_the_device_and_its_answer_the_client(layer: str) -> None:
    async with open_rig(layer, echo) as rig:
        client = await rig.connect()
        answer = await client.ask(rig.request("GET ~/status?x=1"))
        assert answer.status == 200
        assert answer.headers["x-target"] == "/status?x=1"
