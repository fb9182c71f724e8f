from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from visiona.domain.errors import NotAllowed
from visiona.stores.files.interfaces import FileRef
from visiona.web.upload_links import LINK_TTL, UploadLinks

NOW = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
REF = FileRef("model-0123456789", 5, "a" * 64)
LINKS = UploadLinks(b"key", "https://visiona.example/base/")


def parts_of(url: str) -> tuple[str, dict[str, str]]:
    split = urlsplit(url)
    return split.path.rpartition("/")[2], dict(parse_qsl(split.query))


def test_a_link_is_good_for_fifteen_minutes_and_its_file() -> None:
    url, expires_at = LINKS.link(REF, NOW)
    assert url.startswith("https://visiona.example/base/storage/model-0123456789?")
    assert NOW + LINK_TTL - expires_at < timedelta(seconds=1)
    key, query = parts_of(url)
    assert LINKS.file(key, query, expires_at - timedelta(microseconds=1)) == REF
    with pytest.raises(NotAllowed, match="has expired"):
        LINKS.file(key, query, expires_at)


def test_without_a_public_url_a_link_is_a_path() -> None:
    assert UploadLinks(b"key", None).link(REF, NOW)[0].startswith("/storage/model-0123456789?")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "6"),
        ("size", "05"),
        ("size", "٥"),
        ("sha256", "b" * 64),
        ("expires", "99999999999"),
        ("signature", ""),
        ("signature", "é"),
        ("signature", "0" * 64),
        ("key", "model-9999999999"),
        ("key", "../../session.key"),
        ("key", "\ud800"),
    ],
)
def test_a_link_cannot_be_bent(field: str, value: str) -> None:
    key, query = parts_of(LINKS.link(REF, NOW)[0])
    if field == "key":
        key = value
    else:
        query[field] = value
    with pytest.raises(NotAllowed, match="not valid"):
        LINKS.file(key, query, NOW)


def test_a_link_that_lacks_something_or_is_another_servers_is_none() -> None:
    key, query = parts_of(LINKS.link(REF, NOW)[0])
    for name in query:
        with pytest.raises(NotAllowed):
            LINKS.file(key, {each: value for each, value in query.items() if each != name}, NOW)
    with pytest.raises(NotAllowed):
        UploadLinks(b"other key", None).file(key, query, NOW)
