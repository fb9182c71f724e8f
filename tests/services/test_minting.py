import pytest
from visiona.domain.ids import is_uuid
from visiona.domain.tokens import TokenKind, token_hash
from visiona.services.minting import mint_id, mint_token

from tests.support.nouns import NOW


def test_no_two_ids_are_alike() -> None:
    ids = {mint_id(NOW) for _ in range(1000)}
    assert len(ids) == 1000
    assert all(is_uuid(each) for each in ids)


@pytest.mark.parametrize("kind", TokenKind)
def test_no_two_tokens_are_alike_and_each_is_spelled_right(kind: TokenKind) -> None:
    tokens = {mint_token(kind) for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(token_hash(each, kind) is not None for each in tokens)
