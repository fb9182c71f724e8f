"""What becomes of a field when it crosses: the tables, by name. The two heads are rebuilt from them.

Our own framing and connection fields are written anew on each side, so they are dropped here, whatever they say.
"""

from collections.abc import Callable
from enum import Enum

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",  # only ever an h2c upgrade
        b"content-length",  # written from the framing
    }
)
"""About one connection, not about the message (RFC 9110 §7.6.1), and what we write ourselves."""

REQUEST_DROPS = HOP_BY_HOP | frozenset(
    {
        b"expect",  # answered by us
        b"host",  # written from the crossing
        b"origin",  # the device's server accepts localhost only
        b"referer",  # a page of ours is none of the device's business
        b"forwarded",
        b"x-request-id",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"fastly-client-ip",
        b"client-ip",
        b"x-forwarded",
        b"forwarded-for",
        b"x-originating-ip",
        b"x-true-client-ip",
        b"x-azure-clientip",
        b"x-host",
        b"x-https",
        b"x-url-scheme",
        b"front-end-https",
        b"proxy",  # to a CGI program it is the variable HTTP_PROXY (CVE-2016-5385)
        b"x-scheme",
        b"x-rewrite-url",
        b"x-user",
        b"x-username",
        b"x-email",
        b"x-groups",
        b"x-ssl-cert",
    }
)
"""Fields by which a client could claim to be somebody, or somewhere, else (H-04), and ours (H-09)."""

REQUEST_DROP_PREFIXES = (
    b"x-forwarded-",
    b"x-visiona-",
    b"x-user-",
    b"x-original-",
    b"x-remote-",
    b"remote-",  # addresses, and Authelia's word for who somebody is
    b"x-auth-request-",
    b"x-authenticated-",
    b"x-authentik-",
    b"x-webauth-",
    b"x-client-cert",
    b"x-ssl-client-",
    b"ssl-client-",
    b"x-goog-authenticated-user-",
    b"x-goog-iap-",
    b"x-amzn-oidc-",
    b"x-ms-client-principal",
    b"cf-access-",
    b"tailscale-user-",
    b"x-envoy-",
    b"x-accel-",
    b"proxy-",
)

WEBSOCKET_PREFIX = b"sec-websocket-"
"""Cross with a real upgrade only."""

ANSWER_DROPS = HOP_BY_HOP | frozenset(
    {
        # They speak for our whole origin, for good.
        b"strict-transport-security",
        b"public-key-pins",
        b"public-key-pins-report-only",
        b"expect-ct",
        b"alt-svc",
        b"clear-site-data",
        b"service-worker-allowed",
        b"origin-agent-cluster",
        b"origin-trial",
        b"accept-ch",
        b"critical-ch",
        b"set-login",
        b"activate-storage-access",
        b"speculation-rules",
        b"use-as-dictionary",
        b"shared-storage-write",
        b"observe-browsing-topics",
        # They make browsers send reports to where the device says.
        b"nel",
        b"report-to",
        b"reporting-endpoints",
        b"content-security-policy-report-only",
        b"document-policy-report-only",
        b"permissions-policy-report-only",
        b"integrity-policy-report-only",
        # Written by us.
        b"x-request-id",
        b"x-content-type-options",
        b"x-frame-options",
        b"referrer-policy",
        # Caches and servers in front of us would obey them: internal redirects, files of theirs, shared storage.
        b"cdn-cache-control",
        b"cloudflare-cdn-cache-control",
        b"surrogate-control",
        b"surrogate-key",
        b"edge-control",
        b"x-sendfile",
        b"x-sendfile2",
        b"x-reproxy-url",
        b"x-proxy-redirect",
    }
)

ANSWER_DROP_PREFIXES = (
    b"access-control-",
    b"cross-origin-",
    b"x-visiona-",
    b"x-accel-",
    b"x-litespeed-",
    b"x-lighttpd-",
    b"attribution-reporting-",
    b"sec-session-",  # sessions bound to the browser, for the whole origin
    b"secure-session-",
    b"proxy-",
)

ANSWER_KEEPS = frozenset({b"x-accel-buffering"})
"""An exception to the prefixes: a device may ask a server in front of us not to hold its events back."""

NOT_TO_BE_NAMED = frozenset(
    {
        b"accept",
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-language",
        b"content-location",
        b"content-range",
        b"content-security-policy",
        b"content-type",
        b"cookie",
        b"date",
        b"etag",
        b"host",
        b"last-modified",
        b"location",
        b"origin",
        b"range",
        b"set-cookie",
        b"vary",
        b"www-authenticate",
        b"x-csrf-token",
        b"x-requested-with",
    }
)
"""Fields that Connection cannot make hop-by-hop by naming them (H-02): the other side decides something by them."""

NOT_TO_BE_NAMED_PREFIXES = (b"if-", b"sec-")


class Fate(Enum):
    """What becomes of a field."""

    PASS = "pass"  # noqa: S105 - not a password
    DROP = "drop"
    WITH_UPGRADE = "with upgrade"
    AUTHORIZATION = "authorization"
    COOKIE = "cookie"
    SET_COOKIE = "set-cookie"
    LOCATION = "location"
    REFRESH = "refresh"
    CACHE_CONTROL = "cache-control"


def request_fate(lower_name: bytes) -> Fate:
    """The fate of a request's field. Underscores count as hyphens: CGI and WSGI cannot tell them apart
    (GHSA-vjrc-mh2v-45x6, CVE-2025-64484).
    """
    name = lower_name.replace(b"_", b"-")
    if name in REQUEST_DROPS or name.startswith(REQUEST_DROP_PREFIXES):
        return Fate.DROP
    if name.startswith(WEBSOCKET_PREFIX):
        return Fate.WITH_UPGRADE
    if name == b"authorization":
        return Fate.AUTHORIZATION if name == lower_name else Fate.DROP
    if name == b"cookie":
        return Fate.COOKIE if name == lower_name else Fate.DROP
    return Fate.PASS


_ANSWER_FATES = {
    b"set-cookie": Fate.SET_COOKIE,
    b"set-cookie2": Fate.DROP,
    b"location": Fate.LOCATION,
    b"refresh": Fate.REFRESH,
    b"cache-control": Fate.CACHE_CONTROL,
}


def answer_fate(lower_name: bytes) -> Fate:
    """The fate of an answer's field."""
    if lower_name in ANSWER_DROPS:
        return Fate.DROP
    if lower_name.startswith(ANSWER_DROP_PREFIXES) and lower_name not in ANSWER_KEEPS:
        return Fate.DROP
    if lower_name.startswith(WEBSOCKET_PREFIX):
        return Fate.WITH_UPGRADE
    return _ANSWER_FATES.get(lower_name, Fate.PASS)


def droppable_by_name(option: bytes) -> bool:
    """Whether Connection may take this field out of a message, beyond those that are taken out anyway."""
    return option not in NOT_TO_BE_NAMED and not option.startswith(NOT_TO_BE_NAMED_PREFIXES)


_USUAL_IN_REQUESTS = (
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-length",
    b"content-type",
    b"cookie",
    b"dnt",
    b"expect",
    b"host",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"origin",
    b"pragma",
    b"priority",
    b"range",
    b"referer",
    b"sec-ch-ua",
    b"sec-ch-ua-mobile",
    b"sec-ch-ua-platform",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"sec-fetch-user",
    b"te",
    b"transfer-encoding",
    b"upgrade-insecure-requests",
    b"user-agent",
    b"x-csrf-token",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"x-request-id",
    b"x-requested-with",
    b"x-visiona-csrf",
    b"x-visiona-device",
)

_USUAL_IN_ANSWERS = (
    b"accept-ranges",
    b"access-control-allow-origin",
    b"age",
    b"cache-control",
    b"connection",
    b"content-disposition",
    b"content-encoding",
    b"content-language",
    b"content-length",
    b"content-range",
    b"content-security-policy",
    b"content-type",
    b"date",
    b"etag",
    b"expires",
    b"keep-alive",
    b"last-modified",
    b"link",
    b"location",
    b"pragma",
    b"server",
    b"set-cookie",
    b"transfer-encoding",
    b"vary",
    b"www-authenticate",
    b"x-content-type-options",
    b"x-powered-by",
    b"x-request-id",
)


_ODD_SPELLINGS = {b"dnt": b"DNT", b"te": b"TE", b"etag": b"ETag", b"www-authenticate": b"WWW-Authenticate"}


def _judged(names: tuple[bytes, ...], fate: Callable[[bytes], Fate]) -> dict[bytes, Fate]:
    """Names as they are usually spelt, with their fates."""
    spelt = [spelling for name in names for spelling in (name, name.title(), _ODD_SPELLINGS.get(name, name))]
    return {name: fate(name.lower()) for name in spelt}


def _lines(fates: dict[bytes, Fate]) -> dict[bytes, bytes]:
    """What a field's line begins with, empty where there is to be no line; fields with a rule of their own are not in."""
    begin = {Fate.PASS: b"%b: ", Fate.DROP: b""}
    return {name: begin[fate] and begin[fate] % name for name, fate in fates.items() if fate in begin}


USUAL_REQUEST_FATES = _judged(_USUAL_IN_REQUESTS, request_fate)
"""Worked out once: nine of ten fields are found here, without lowering a name."""

KNOWN_IN_REQUESTS = _lines(USUAL_REQUEST_FATES)
"""Those of them that pass or are dropped whatever they say."""

USUAL_ANSWER_FATES = _judged(_USUAL_IN_ANSWERS, answer_fate)
"""The same for answers."""

KNOWN_IN_ANSWERS = _lines(USUAL_ANSWER_FATES)
"""The same for answers."""
