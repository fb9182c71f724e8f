import json
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from visiona.web.idp.keys import (
    ALGORITHM,
    ANNOUNCE,
    KEEP_RETIRED,
    ROTATE_AFTER,
    Keys,
    from_document,
    new_keys,
    rotated,
    to_document,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def signed(keys: Keys) -> str:
    return jwt.encode({"alg": ALGORITHM, "kid": keys.newest.kid}, {"sub": "ada"}, keys.newest, [ALGORITHM])


def kids(keys: Keys) -> list[str]:
    return [each["kid"] for each in keys.published()["keys"]]


def test_keys_come_back_as_they_were_written() -> None:
    keys = rotated(new_keys(NOW), NOW + timedelta(days=1))
    again = from_document(json.loads(json.dumps(to_document(keys))))
    assert to_document(again) == to_document(keys)
    assert jwt.decode(signed(keys), again.verifying(), [ALGORITHM]).claims == {"sub": "ada"}


def test_what_is_published_says_nothing_private() -> None:
    [published] = new_keys(NOW).published()["keys"]
    assert set(published) == {"kty", "n", "e", "kid", "use", "alg"}
    assert (published["use"], published["alg"]) == ("sig", "RS256")


def test_a_retired_key_verifies_until_its_tokens_are_forgotten() -> None:
    first = new_keys(NOW)
    second = rotated(first, NOW + timedelta(days=1))
    assert second.newest.kid != first.newest.kid
    assert kids(second) == [second.newest.kid, first.newest.kid]
    assert jwt.decode(signed(first), second.verifying(), [ALGORITHM])
    retired_at = NOW + timedelta(days=1) + ANNOUNCE
    short = timedelta(microseconds=1)
    assert first.newest.kid in kids(rotated(second, retired_at + KEEP_RETIRED - short))
    third = rotated(second, retired_at + KEEP_RETIRED)
    assert kids(third) == [third.newest.kid, second.newest.kid]
    with pytest.raises(JoseError):
        jwt.decode(signed(first), third.verifying(), [ALGORITHM])


def test_a_new_key_is_known_before_it_signs() -> None:
    """A client that met an unknown key a moment after it asked for all of them would have to refuse the sign-in."""
    first = new_keys(NOW)
    assert first.current(NOW) == first.newest  # there is no other
    made_at = NOW + timedelta(days=1)
    second = rotated(first, made_at)
    assert kids(second)[0] == second.newest.kid
    assert second.current(made_at + ANNOUNCE - timedelta(microseconds=1)).kid == first.newest.kid
    assert second.current(made_at + ANNOUNCE).kid == second.newest.kid
    third = rotated(second, made_at + timedelta(seconds=1))
    assert third.current(made_at + timedelta(seconds=1)).kid == first.newest.kid
    assert third.current(made_at + ANNOUNCE).kid == second.newest.kid


def test_the_forms_key_outlives_a_rotation() -> None:
    keys = new_keys(NOW)
    assert rotated(keys, NOW).form_key == keys.form_key


@pytest.mark.parametrize(("microseconds", "due"), [(-1, False), (0, True)])
def test_a_key_is_replaced_at_its_age(microseconds: int, due: bool) -> None:
    keys = new_keys(NOW)
    assert keys.is_rotation_due(NOW + ROTATE_AFTER + timedelta(microseconds=microseconds)) is due


@pytest.mark.parametrize("key", ["signing_keys", "form_key"])
def test_a_document_of_something_else_is_none(key: str) -> None:
    document = to_document(new_keys(NOW))
    for broken in ({**document, key: []}, {**document, key: {}}, {}, {**document, key: None}):
        with pytest.raises((ValueError, KeyError, TypeError, AttributeError, JoseError)):
            from_document(broken)


def test_a_public_key_alone_cannot_sign_and_is_refused() -> None:
    document = to_document(new_keys(NOW))
    document["signing_keys"][0]["jwk"] = new_keys(NOW).published()["keys"][0]
    with pytest.raises(ValueError, match="private"):
        from_document(document)
