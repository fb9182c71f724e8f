import pytest
from visiona.wire.http1.nominated import named_by_connection

from tests.wire.http1.support import request_head, response_head

CASES = {
    "absent": ([], set()),
    "keep_alive": ([b"Connection: keep-alive"], set()),
    "keep_alive_and_repeats": ([b"Connection: keep-alive", b"Accept: a", b"Accept: b"], {b"keep-alive"}),
    "h02_a_name": ([b"Connection: close, X-Hop"], {b"close", b"x-hop"}),
    "h02_two_lines": ([b"Connection: close", b"connection: X-Hop"], {b"close", b"x-hop"}),
    "h02_protected": ([b"Connection: Cookie, authorization, HOST"], set()),
    "h02_empty_members": ([b"Connection: ,, x ,"], {b"x"}),
}


@pytest.mark.parametrize(("fields", "named"), CASES.values(), ids=CASES)
def test_connection_names_fields_on_every_line_of_it(fields: list[bytes], named: set[bytes]) -> None:
    assert named_by_connection(request_head(*fields)) == named
    assert named_by_connection(response_head(*fields)) == named
