"""Pairing: a one-time token is exchanged for this unit's own credential.

The address may be the web site's or, where both live behind one, the relay's. A reply that was lost is asked for
again with the same idempotency key, for a spent token and no credential would mean a new token and a second walk.
"""

import platform
import random
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import trio

from visiona.agent.addresses import Address, AddressInvalid
from visiona.agent.backoff import Backoff
from visiona.agent.credential import Credential, new_instance
from visiona.agent.post import Answer, PostFailed, post_json

EXCHANGE_PATH = "/api/pairing/exchange"

ATTEMPTS = 4
MAX_WAIT_SECONDS = 20.0
"""Four attempts with their waits stay within the minute in which the server accepts a repetition."""

_REFUSALS = {
    "INVALID_PAIRING_TOKEN": "the relay does not know this pairing token; copy it again, or make a new one",
    "PAIRING_TOKEN_EXPIRED": "this pairing token has expired (they live 15 minutes); make a new one",
    "PAIRING_TOKEN_USED": "this pairing token was already used; make a new one",
    "PAIRING_TOKEN_REVOKED": "this pairing token was revoked; make a new one",
}


class PairingFailed(Exception):
    """No credential came of it; the message is one sentence for the installer.

    Attributes:
        code: the server's code, or an empty string.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Unit:
    """What the unit says of itself. Empty texts are not sent."""

    name: str = ""
    serial_number: str = ""
    device_type: str = ""
    agent_version: str = ""
    instance: str = field(default_factory=new_instance)


async def pair(
    token: str,
    site: Address,
    target: str,
    unit: Unit,
    *,
    relay_url: str = "",
    ca_file: str = "",
    context: ssl.SSLContext | None = None,
    chance: Callable[[], float] = random.random,
) -> Credential:
    """Exchanges the token at a site.

    Args:
        target: kept in the credential for `agent run`.
        relay_url: dialled afterwards instead of what the answer says.
        ca_file: kept in the credential, too; `context` is made of it.

    Raises:
        PairingFailed
    """
    claims = _claims(token, unit)
    answer = await _exchange(site, claims, context, chance)
    data = _data_of(answer, site)
    credential = Credential(
        session_token=data.get("session_token", ""),
        relay_url=relay_url or data.get("relay_url", "") or str(site),
        target=target,
        instance=unit.instance,
        account=data.get("account", ""),
        device_id=data.get("device_id", ""),
        expires_at=data.get("expires_at", ""),
        name=claims.get("name", ""),
        ca_file=ca_file,
    )
    _check(credential)
    return credential


def _claims(token: str, unit: Unit) -> dict[str, str]:
    claims = {
        "pairing_token": token.strip(),
        "name": unit.name or platform.node(),
        "serial_number": unit.serial_number,
        "device_type": unit.device_type,
        "agent_version": unit.agent_version,
        "instance": unit.instance,
    }
    return {key: text for key, text in claims.items() if text}


async def _exchange(
    site: Address, claims: Mapping[str, str], context: ssl.SSLContext | None, chance: Callable[[], float]
) -> Answer:
    """Asks until there is an answer that asking again would not change."""
    body = {**claims, "idempotency_key": secrets.token_urlsafe(24)}
    backoff = Backoff()
    for attempt in range(1, ATTEMPTS + 1):
        retry_after: float | None = None
        try:
            answer = await post_json(site, EXCHANGE_PATH, body, context=context)
        except PostFailed as error:
            if attempt == ATTEMPTS or not error.may_have_arrived:
                raise PairingFailed(str(error)) from None
        else:
            retry_after = answer.retry_after_seconds
            if (
                answer.status not in (429, 502, 503, 504)
                or attempt == ATTEMPTS
                or (retry_after or 0) > MAX_WAIT_SECONDS
            ):
                return answer
        await trio.sleep(min(backoff.next_seconds(chance(), retry_after), MAX_WAIT_SECONDS))
    raise AssertionError("the last attempt returns or raises")


def _data_of(answer: Answer, site: Address) -> dict[str, str]:
    """The fields of a good answer; everything else is one sentence."""
    if answer.status != 200:
        raise _failure(answer, site)
    data = answer.body.get("data", answer.body)
    if not isinstance(data, dict):
        raise PairingFailed(f"{site} answered something that is not a pairing")
    return {key: value for key, value in data.items() if isinstance(value, str)}


def _failure(answer: Answer, site: Address) -> PairingFailed:
    error = answer.body.get("error")
    code, message = "", ""
    if isinstance(error, dict):
        code, message = str(error.get("code", "")), str(error.get("message", ""))
    if code in _REFUSALS:
        return PairingFailed(_REFUSALS[code], code)
    if answer.status == 429:
        wait = f"{answer.retry_after_seconds:g} s" if answer.retry_after_seconds else "a while"
        return PairingFailed(f"{site} has been asked too often; try again in {wait}", code)
    if answer.status in (404, 405, 426):
        return PairingFailed(f"{site} exchanges no pairing tokens; give the address of the web site", code)
    if code:
        return PairingFailed(f"{site} refused: {message or code}", code)
    return PairingFailed(f"{site} answered {answer.status}: is this the address of a visiona web site?", code)


def _check(credential: Credential) -> None:
    if not credential.session_token.startswith("vAs_"):
        raise PairingFailed("the answer holds no session token; is this the address of a visiona web site?")
    try:
        Address.parse(credential.relay_url, "relay")
    except AddressInvalid as error:
        raise PairingFailed(f"the server named a relay that cannot be dialled: {error}") from None
