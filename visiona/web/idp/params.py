"""The parameters of a request to the provider, read so that nobody can read them otherwise.

RFC 6749 §3.1: none may come twice, one without a value counts as absent. What two parsers could disagree about is
refused: broken escapes, control characters, a body of another type.
"""

import re
from urllib.parse import parse_qsl

from quart import request

from visiona.domain.errors import Invalid

MAX_BYTES = 16 * 1024
"""Of a query or a form: a password of a kibibyte, escaped, is the largest thing that one needs."""

MAX_PARAMETERS = 40

Params = dict[str, str]

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def query_params() -> Params:
    """The parameters of the current request's query; raises Invalid."""
    return parse_params(bytes(request.query_string))


async def form_params() -> Params:
    """The parameters of the current request's form; raises Invalid, also for a body of another type."""
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Invalid("send the parameters as application/x-www-form-urlencoded")
    return parse_params(await request.get_data(cache=False, as_text=False, parse_form_data=False))


def parse_params(encoded: bytes) -> Params:
    """Reads `a=b&c=d`.

    Raises:
        Invalid: it is no such text, or has a parameter twice.
    """
    if len(encoded) > MAX_BYTES:
        raise Invalid("the parameters are too long")
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError as error:  # not ASCII, not UTF-8 behind the escapes, or too many
        raise Invalid("the parameters cannot be read") from error
    params = dict(pairs)
    if len(params) != len(pairs):
        raise Invalid("a parameter came twice")
    if any(_CONTROL.search(text) for pair in pairs for text in pair):
        raise Invalid("a parameter holds a control character")
    return {name: value for name, value in params.items() if value}
