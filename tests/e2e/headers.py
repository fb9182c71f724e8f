"""What every answer of a run must carry, and every cookie: the ASVS table (3.3, 3.4, 14.3.2), judged from outside."""

import re
from urllib.parse import urlsplit

from tests.e2e.person import Seen

COOKIES = {"visiona_session", "visiona_login", "visiona_idp"}
MAX_COOKIE_BYTES = 4096
UNSAFE = re.compile(r"'unsafe-(?:inline|eval|hashes)'|data:(?!\s*(?:;|$|'))|\*|http:")
PUBLIC = re.compile(r"/(?:console/|idp/jwks$|idp/\.well-known/|openapi\.json$)")
"""Says nothing of anybody, and may be kept."""


def complaints(seen: Seen, base: str) -> list[str]:
    """What is wrong with an answer of our own; `base` is where browsers reach the server."""
    found = [*_cookies(seen, is_https=base.startswith("https://")), *_fields(seen), *_policy(seen)]
    location = seen.headers.get("Location")
    if location is not None and re.match(r"[a-z]+:|//|/\\", location) and not location.startswith(base + "/"):
        found.append(f"leads to {location}")
    return [f"{seen}: {each}" for each in found]


def _cookies(seen: Seen, *, is_https: bool) -> list[str]:
    found = []
    for field in seen.headers.get_all("Set-Cookie") or ():
        pair, *attributes = field.split("; ")
        name, _, value = pair.partition("=")
        said = {each.partition("=")[0].lower(): each.partition("=")[2] for each in attributes}
        if name.removeprefix("__Host-") not in COOKIES or name.startswith("__Host-") != is_https:
            found.append(f"a cookie called {name}")
        if "httponly" not in said or said.get("path") != "/" or said.get("samesite") not in {"Lax", "Strict"}:
            found.append(f"{name} without HttpOnly, Path=/ or SameSite")
        if "domain" in said or ("secure" in said) != is_https:
            found.append(f"{name}: Domain, or Secure where it does not belong")
        if len(name) + len(value) > MAX_COOKIE_BYTES:
            found.append(f"{name} is too long")
        if name.endswith("visiona_session") and value and ("max-age" in said or "expires" in said):
            found.append(f"{name} outlives the browser")
    return found


def _fields(seen: Seen) -> list[str]:
    headers, path = seen.headers, urlsplit(seen.path).path
    found = []
    if headers.get("X-Content-Type-Options") != "nosniff":
        found.append("no nosniff")
    if headers.get("Referrer-Policy") not in {"no-referrer", "same-origin"}:
        found.append("no Referrer-Policy")
    if any(name.lower().startswith("access-control-") for name in headers):
        found.append("CORS")
    if re.search(r"\d", headers.get("Server", "")):
        found.append("the server says its version")
    if not PUBLIC.match(path):
        wanted = {"no-store"} if path.startswith(("/api/", "/idp/")) else {"no-store", "no-cache"}
        if headers.get("Cache-Control") not in wanted:
            found.append(f"Cache-Control: {headers.get('Cache-Control')}")
    if seen.body and not re.match(r"application/json|[a-z]+/[a-z+-]+; charset=utf-8$|image/", _type_of(seen)):
        found.append(f"Content-Type: {_type_of(seen)}")
    return found


def _policy(seen: Seen) -> list[str]:
    policy = seen.headers.get("Content-Security-Policy", "")
    said = {name: values for name, *values in (part.split() for part in policy.split(";") if part.strip())}
    found = []
    # What is not named falls back to default-src, object-src too; these two fall back to nothing.
    if said.get("default-src") != ["'none'"] or said.get("object-src", ["'none'"]) != ["'none'"]:
        found.append("a policy that does not begin with nothing")
    if said.get("frame-ancestors") != ["'none'"] or said.get("base-uri") != ["'none'"]:
        found.append("may be framed, or moved")
    if any(UNSAFE.search(" ".join(said.get(name, ()))) for name in ("script-src", "style-src")):
        found.append(f"policy: {policy}")
    if seen.body and _type_of(seen).startswith("text/html"):
        if "form-action" not in said:
            found.append("forms may lead anywhere")
        if seen.headers.get("Cross-Origin-Opener-Policy") != "same-origin":
            found.append("no COOP")
    return found


def _type_of(seen: Seen) -> str:
    return seen.headers.get("Content-Type", "")
