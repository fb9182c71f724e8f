"""Where an object store is, as one line of the configuration says it.

    s3://ACCESS_KEY:SECRET@host[:port]/bucket[/prefix]?region=eu-central-1
    s3+http://…                                         without TLS, within one machine or network of one's own

As with every URL that holds a secret, a character that means something in URLs is written as %XX.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FORM = "write s3://ACCESS_KEY:SECRET@host/bucket"


class NoAddress(ValueError):
    """The text is no such address; the message has nothing of the secret in it."""


@dataclass(frozen=True, slots=True)
class S3Address:
    """An object store's bucket, and the key that opens it."""

    endpoint: str
    bucket: str
    prefix: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


def parsed(url: str) -> S3Address:
    """Reads an address; raises NoAddress."""
    try:
        parts = urlsplit(url)
        port = parts.port
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise NoAddress(_FORM) from None
    if parts.scheme not in {"s3", "s3+http"} or not parts.hostname:
        raise NoAddress(_FORM)
    if not (parts.username and parts.password):
        raise NoAddress(f"the access key and its secret are missing; {_FORM}")
    bucket, _, prefix = unquote(parts.path).strip("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise NoAddress(f"the bucket is missing, or is none; {_FORM}")
    if unknown := sorted(set(query) - {"region"}):
        raise NoAddress(f"nothing is known of {', '.join(unknown)}; only region may be said")
    scheme = "https" if parts.scheme == "s3" else "http"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return S3Address(
        endpoint=f"{scheme}://{host}" + (f":{port}" if port is not None else ""),
        bucket=bucket,
        prefix=prefix,
        region=query.get("region", DEFAULT_REGION),
        access_key=unquote(parts.username),
        secret_key=unquote(parts.password),
    )
