"""Makes hostile_return_to.txt: where a sign-in must not lead. Run it to write the file anew.

Sources: the open-redirect advisories of oauth2-proxy (GHSA-qqxw-m5fj-f7gv, GHSA-5m6c-jp6f-2vcv, GHSA-j7px-6hwj-hpjg),
the WHATWG URL standard's parser (tabs, backslashes, special schemes), and what proxies make of escapes and dots.
"""

import json
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).with_name("hostile_return_to.txt")

_HOSTS = (
    "evil.example",
    "evil.example/",
    "evil.example%2f..",
    "cam.example@evil.example",
    "1.2.3.4",
    "[::1]",
    "0x7f.1",
)
_STARTS = (
    "//", "///", "////", "/\\", "\\/", "\\\\", "\\", "/\\/", "//\\", "/\\\\", "\\\\\\", "/./\\", "/.//", "/..//", "/../\\",
    "/%09/", "/%0a/", "/%0d/", "/%0d%0a/", "/%00/", "/%20/", "/%2f", "/%2F/", "/%2f%2f", "/%5c", "/%5C/", "/%5c%5c",
    "/\t/", "/\n/", "/\r/", "/\r\n/", "/ /", "/\x00/", "/\x0b/", "/\x0c/", "/\x1f/", "/\x7f/", "/\x85/", "/\xa0/",
    "\t//", " //", "\n//", "\x00//", "\x01//", "\ufeff//", "\u200b//", "\u2028//", "\u3000//", "\t/\t/\t", "/\u2044", "/\u2215",
    "/\uff0f", "\uff0f\uff0f", "/\u29f8", "/\u29f9", "/\uff3c", "/\u2216", "/%e2%81%84", "/%ef%bc%8f", "/%c0%af", "/%e0%80%af",
    "/%252f", "/%252f%252f", "/%255c", "/%2509/", "//%2f", "/.%2f", "/%2e/%2f", "/%2e%2e//", "/;//", "/;@", "/:@", "/@",
)  # fmt: skip
_SCHEMES = (
    "http:", "https:", "HTTPS:", "hTTp:", "ftp:", "file:", "ws:", "wss:", "data:", "blob:", "about:", "javascript:",
    "JaVaScRiPt:", "java\tscript:", "java\nscript:", "\x01javascript:", " javascript:", "vbscript:", "view-source:",
    "filesystem:", "mailto:", "tel:", "intent:", "chrome:", "jar:", "ms-settings:", "urn:", "x:", "javascript&colon;",
    "javascript%3a", "&#106;avascript:", "\\x6aavascript:",
)  # fmt: skip
_TAILS = (
    "evil.example",
    "//evil.example",
    "/\\evil.example",
    "alert(1)",
    "//%0aalert(1)",
    "text/html,<script>1</script>",
)
_INSIDE = (
    "..", ".", "%2e", "%2E", "%2e%2e", "%2e.", ".%2e", ".%2E", "%2f", "%2F", "%5c", "%5C", "%00", "%0a", "%0d", "%0d%0aX:1",
    "%0a%20", "%09", "%1f", "%7f", "%80", "%ff", "%c3%a9", "%252e%252e", "%25", "%", "%2", "%zz", "%u002f", "a b", "a\tb", "a\nb",
    "a\rb", "a\r\nSet-Cookie: a=b", "a\x00b", "a\\b", "a\"b", "a<b", "a>b", "a`b", "a{b", "a|b", "a^b", "a]b", "a[b", "a;b", "..;",
    ".;", "a:b", "a@b", "é", "．．", "。", "\u202e", "\ud800", "\U0001f600", "<script>alert(1)</script>", "\" onload=\"x",
)  # fmt: skip
_NEVER = (
    "api/auth/login", "api/auth/login?return_to=/", "api/auth/logout", "api/auth/callback?code=a&state=b", "api/auth/",
    "api/auth", "api/auth/login/", "api/auth/login#x", "idp/authorize", "idp/", "idp", "idp/logout?x", "idp#x", "idp?x",
)  # fmt: skip
_OTHERS = (
    "", " ", "a", "a/b", "evil.example", "www.evil.example/", ".", "..", "./", "../", "../../", "./a", "?x", "#x", "?//evil.example",
    "#//evil.example", "@evil.example", ":evil.example", ":80", ":@", "://evil.example", ":///", "~", "*", "%", "%2f", "%2f%2fevil.example",
    "%5cevil.example", "http", "http:/", "http:/evil.example", "https:/evil.example", "https:evil.example", "https:\\evil.example",
    "https:///evil.example", "https://cam.example", "https://cam.example/", "https://cam.example.evil.example/",
    "https://cam.example:443@evil.example/", "https://evil.example#cam.example", "https://evil.example?cam.example",
    "https://evil.example\\.cam.example", "//cam.example", "//cam.example/", "//cam.example:443/", "//localhost/", "//google%E3%80%82com",
    "//\u3002evil.example", "/" * 2049, "/" + "a" * 2048, "/a?" + "b" * 2048, "/a" * 1200, "//" + "a" * 3000, "/?a\tb", "/?a\nb", "/?a b",
    "/?a\\b", "/?a%0d%0ab", "/?a%00", "/?%", "/?a<b", "/?é", "/#a\nb", "/#a b", "/#%0a", "/a#b#c", "/#\\", "/?\u2028", "null", "undefined",
    "true", "0", "-1", "[]", "{}", "${jndi:ldap://evil.example}", "{{7*7}}", "%{7*7}", "/\u0000", "/\ud800",
)  # fmt: skip


def values() -> Iterator[str]:
    for start in _STARTS:
        for host in _HOSTS[:4]:
            yield start + host
    for host in _HOSTS:
        for start in ("//", "/\\", "https://", "https:/\\", "https:\\\\"):
            yield start + host
    for scheme in _SCHEMES:
        for tail in _TAILS:
            yield scheme + tail
    for part in _INSIDE:
        yield f"/{part}"
        yield f"/devices/{part}/x"
        yield f"/devices/{part}"
    yield "/devices//x"
    yield "/devices//"
    yield from (f"/{part}" for part in _NEVER)
    yield from _OTHERS


def text() -> str:
    return "".join(json.dumps(value) + "\n" for value in dict.fromkeys(values()))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")
