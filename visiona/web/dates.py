"""Each answer says once when it was made (RFC 9110 §6.6.1): a device's by its own Date, ours by this machine's clock.

Hypercorn, which looks at no field, would write a second Date beside a device's, so it writes none (door_handover.py).
"""

import time
from wsgiref.handlers import format_date_time

from visiona.wire.http1.fields import Header


def date_text() -> str:
    """This moment, as a Date field spells it."""
    return format_date_time(time.time())


def dated(headers: list[Header]) -> list[Header]:
    """The same fields, and a Date where there is none."""
    if any(name.lower() == b"date" for name, _ in headers):
        return headers
    return [*headers, (b"date", date_text().encode("ascii"))]
