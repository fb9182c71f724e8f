"""Each line of the hardening list is carried by a test that names it, or stands below with the reason why not yet."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.tree import ROOT, parsed, within

LINES = {
    "T-01": "slowloris at the agents' door",
    "T-02": "connects and says nothing",
    "T-03": "TLS that stalls",
    "T-04": "oversized, folded or poisoned headers",
    "T-05": "tokens of every wrong kind: 401 before 101",
    "T-06": "a token of ten kilobytes",
    "T-07": "what is no WebSocket upgrade",
    "T-08": "a browser at the agents' door",
    "T-09": "guessing tokens",
    "T-10": "compression, and frames that break RFC 6455",
    "T-11": "no store during the handshake",
    "T-20": "unknown version, type or flags",
    "T-21": "a frame of four gigabytes announced",
    "T-22": "one byte beyond the window",
    "T-23": "SYN with more than a window",
    "T-24": "a body that trickles",
    "T-25": "credit without end",
    "T-26": "SYN twice, wrong parity, unknown ids",
    "T-27": "streams that an agent opens",
    "T-28": "ping floods",
    "T-29": "floods of empty frames",
    "T-30": "an agent that grants nothing",
    "T-31": "an agent that reads nothing",
    "T-32": "go-away, with every code",
    "T-33": "ends, resets and their races",
    "T-34": "stream ids run out",
    "T-35": "random bytes",
    "T-36": "cut at every byte",
    "T-40": "a network that falls silent",
    "T-41": "an agent that comes and goes",
    "T-42": "a second connection of one device",
    "T-43": "two installations, one token",
    "T-44": "a thousand agents at once",
    "T-45": "revoked while connected",
    "T-46": "expiry at the second, clocks that jump",
    "T-47": "eight seconds of our own stall",
    "T-48": "fifteen seconds of it",
    "T-49": "a hundred viewers and a bulk upload",
    "T-50": "garbage instead of an answer",
    "T-51": "no answer, or half of one",
    "T-52": "an agent that never says FIN",
    "T-53": "IPv6 and addresses that change",
    "T-54": "proxies that cut what is idle for a minute",
    "P-01": "a hundred exchanges of one token",
    "P-02": "a crash in the middle of an exchange",
    "P-03": "the exchange's answer is lost",
    "P-04": "expiry to the tenth of a second",
    "P-05": "other tokens, spellings and sizes",
    "P-06": "too many live tokens",
    "P-07": "revoked while it is exchanged",
    "P-08": "lists hold no tokens",
    "P-09": "somebody else's token",
    "P-10": "tokens in logs and wherever else text goes",
    "P-11": "a session token past its end",
    "P-12": "serial numbers that come again",
    "H-01": "smuggling by framing",
    "H-02": "hop-by-hop headers",
    "H-03": "CR, LF and NUL in values",
    "H-04": "forged forwarding headers",
    "H-05": "Host in every wrong form",
    "H-06": "targets that name another destination",
    "H-07": "paths that climb",
    "H-08": "somebody else's device",
    "H-09": "cookies across the border",
    "H-10": "an agent's pages against our API",
    "H-11": "slow bodies, slow readers, pipelines",
    "H-12": "bodies over the limit",
    "H-13": "compressed bombs",
    "H-14": "WebSockets through the proxy",
    "H-15": "viewers that leave",
    "H-16": "events at once, answers without bodies",
    "H-17": "ranges and validators",
    "H-18": "nothing is sent twice",
    "H-19": "JSON that hurts",
    "H-20": "unknown methods and routes; all need a caller",
    "H-21": "cross-origin reading",
    "H-22": "what caches may keep",
    "H-23": "framing by other pages",
    "H-24": "a host name per device",
    "A-01": "signing somebody in with another's answer",
    "A-02": "states used again, foreign, missing",
    "A-03": "id tokens that are wrong in every way",
    "A-04": "answers of another provider",
    "A-05": "return_to that leads away",
    "A-06": "sessions from before the sign-in",
    "A-07": "cookies twice, forged, huge",
    "A-08": "the back button, two tabs, going in circles",
    "A-09": "a provider that is down or hostile",
    "A-10": "refreshes at the same time",
    "A-11": "logouts that nobody asked for",
    "A-12": "a store that lost the sessions",
    "A-13": "both limits to the moment, and few writes",
    "A-14": "users who are disabled",
    "A-15": "requests that another site's page makes",
    "A-16": "sign-ins without end",
    "M-01": "names of models that could be paths",
    "M-02": "archives and links",
    "M-03": "uploads that break off, mix or lie",
    "M-04": "a disk that is full, or fills up",
    "M-05": "deletes and new bytes in the middle",
    "M-06": "a model for another chip",
    "M-07": "model files that would run code",
    "M-08": "many at once for the last of a share",
    "M-09": "downloads continued after a change",
    "M-10": "an agent that lies about what it has",
    "S-01": "PostgreSQL gone, silent, slow, full, read-only, of another version",
    "S-02": "Redis gone, silent, slow, full, emptied",
    "S-03": "SQLite's disk full or broken, two servers, damage",
    "S-04": "clocks that are set, zones, 2038",
    "S-05": "no file descriptors left",
    "S-06": "signals",
    "S-07": "starts that must fail",
    "S-08": "logs that nobody reads, and floods",
    "S-09": "metrics of thousands of devices",
    "S-10": "certificates",
}

NOT_YET = {
    "T-49": "heavy load: comes with the measurements against others",
    "A-10": "no refresh token is asked for: a session ends by its own limits, and there is nothing to race",
}
"""Why a line has no test. An entry whose test has come must go."""

_IN_NAMES = re.compile(r"(?:\b|_)([atphms])_?(\d\d)(?=_|\b)")
_IN_TEXTS = re.compile(r"\b([ATPHMS])-(\d\d)\b")


def ids_in(tree: ast.Module) -> Iterator[str]:
    """Ids in the names of tests, and in strings: docstrings, ids of parameters, tables of cases. Comments do not count."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name.startswith("test_"):
                found = _IN_NAMES.findall(name)
            case ast.Constant(value=str(text)):
                found = _IN_TEXTS.findall(text) + _IN_NAMES.findall(text[:200])
            case _:
                continue
        yield from (f"{letter.upper()}-{number}" for letter, number in found)


def carried() -> dict[str, set[str]]:
    """Which test files carry which id."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.name != "test_hardening_ids.py":
            for one in ids_in(parsed(path)):
                found.setdefault(one, set()).add(within(path))
    return found


CARRIED = carried()


@pytest.mark.parametrize("line", sorted(LINES), ids=lambda line: f"{line} {LINES[line]}")
def test_each_line_has_a_test_or_a_reason(line: str) -> None:
    if line in NOT_YET:
        assert line not in CARRIED, f"{line} has a test now: take it out of NOT_YET"
    else:
        assert line in CARRIED


def test_no_test_names_a_line_that_is_none() -> None:
    """A slip of the pen would make a line look carried."""
    assert {one: where for one, where in CARRIED.items() if one not in LINES} == {}


def test_the_reasons_are_about_lines_and_are_few() -> None:
    assert NOT_YET.keys() <= LINES.keys()
    assert len(NOT_YET) <= 6


def test_a_name_a_docstring_and_an_id_count_and_a_comment_does_not() -> None:
    source = (
        'def test_t05_wrong() -> None:\n    """H-08 and P-09."""\n    # T-01\n'
        'CASES = {"h_07 up": 1}\ndef helper_t06() -> None: ...\n'
    )
    assert set(ids_in(ast.parse(source))) == {"T-05", "H-08", "P-09", "H-07"}
