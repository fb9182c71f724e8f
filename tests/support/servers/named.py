"""Servers and programs that whoever starts the tests has named; see docs/development.md."""

import os


def _named(name: str) -> str | None:
    # Taken out of the environment: what runs within these tests takes every VISIONA_ there for a setting.
    return os.environ.pop(name, None)  # noqa: TID251 - set for the tests, not for us


POSTGRES_BIN = _named("VISIONA_TEST_POSTGRES_BIN")
"""A folder with `initdb` and `postgres` of another version, to be used where a test asks for none."""

REDIS_SERVER = _named("VISIONA_TEST_REDIS_SERVER")
"""A `redis-server` or `valkey-server` to be used instead of ours."""

DATABASE_URL = _named("VISIONA_TEST_DATABASE_URL")
"""A PostgreSQL that runs; used by tests that neither stop nor freeze it."""

REDIS_URL = _named("VISIONA_TEST_REDIS_URL")
"""A Redis that runs, likewise."""
