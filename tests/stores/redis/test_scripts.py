import hashlib
from importlib import resources

import pytest
from visiona.stores.redis import news, pending_logins, rate_counters, sessions
from visiona.stores.redis.client import WRITE
from visiona.stores.redis.scripts import Script

from tests.support.servers.redis import RedisServer

SCRIPTS = [
    script
    for module in (sessions, pending_logins, rate_counters, news)
    for script in vars(module).values()
    if isinstance(script, Script)
] + [WRITE]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_known_to_redis_by_our_digest(script: Script, server: RedisServer) -> None:
    assert script.digest == hashlib.sha1(script.text.encode()).hexdigest()
    assert server.command("SCRIPT", "LOAD", script.text) == f"$40\r\n{script.digest}\r\n".encode()


def test_every_text_belongs_to_a_script() -> None:
    names = {script.name for script in SCRIPTS} | {script.family for script in SCRIPTS}
    texts = (resources.files(sessions.__package__) / "lua").iterdir()
    assert {text.name for text in texts} == {f"{name}.lua" for name in names}
