import os
import subprocess
import sys

from tests.support.servers import guardian

LOOK = """
import os
from tests.support.servers import named
print(named.POSTGRES_BIN, named.REDIS_URL, sorted(name for name in os.environ if name.startswith("VISIONA_")))
"""


def test_what_is_named_is_kept_and_is_no_setting_of_what_is_tested() -> None:
    environ = {
        **os.environ,  # noqa: TID251 - a child's environment is made of ours
        "VISIONA_TEST_POSTGRES_BIN": "/a",
        "VISIONA_TEST_REDIS_URL": "redis://b",
        "VISIONA_LOG_LEVEL": "debug",
    }
    order = [sys.executable, "-c", LOOK]
    said = subprocess.run(
        order, env=environ, cwd=guardian.ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert said.split(None, 2)[:2] == ["/a", "redis://b"]
    assert "VISIONA_TEST_" not in said
    assert "VISIONA_LOG_LEVEL" in said
