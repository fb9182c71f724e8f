"""The exchange: one transaction that consumes a pairing token and makes a device and its session token.

Whatever goes wrong, nothing is burnt: the token is consumed exactly when the session token exists. An answer that is
lost after the commit is the one case left (the agent holds a spent token and nothing else); for it a caller may send
an idempotency key, and with the same key may ask again for a minute. The second answer carries a fresh session token
and the first one's is revoked, so nothing secret has to be kept for the repetition.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime

from visiona.domain import labels
from visiona.domain.audit import Deed, Through
from visiona.domain.devices import DEFAULT_DEVICE_TYPE, Device, DeviceEvent, EventKind
from visiona.domain.errors import Invalid, PairingRefused
from visiona.domain.ids import DeviceId, EventId, TokenId, UserId
from visiona.domain.notices import NoticeKind
from visiona.domain.pairing import Expired, PairingToken, Redeemable, Revoked, Used, judge, may_replay
from visiona.domain.tokens import SESSION_TOKEN_TTL, SessionToken, TokenKind, token_hash, token_prefix
from visiona.domain.users import User, account_of
from visiona.services.afresh import OvertakenError, write_afresh
from visiona.services.audit import note
from visiona.services.minting import mint_id, mint_token
from visiona.stores.interfaces import Stores, Tx

AROUND = " \t\r\n"
"""What copying and pasting leaves around a token; anything else makes it no token."""

_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True, slots=True)
class DeviceClaims:
    """What an agent says about the unit it runs on, as it says it."""

    name: str | None = None
    serial_number: str | None = None
    device_type: str | None = None
    agent_version: str | None = None
    instance: str | None = None

    def checked(self) -> "DeviceClaims":
        """Fit to be kept and shown. Only a serial number identifies, so only it can be Invalid."""
        serial = self.serial_number.strip() if self.serial_number is not None else ""
        return DeviceClaims(
            name=labels.label_or_none(self.name),
            serial_number=labels.serial_number(serial) if serial else None,
            device_type=labels.label_or_none(self.device_type, 64),
            agent_version=labels.label_or_none(self.agent_version, 64),
            instance=labels.label_or_none(self.instance, 128),
        )


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What the agent gets. The session token's text exists nowhere else."""

    session_token: str = field(repr=False)
    account: str
    expires_at: datetime
    device_id: DeviceId
    user_id: UserId
    pairing_token_id: TokenId


async def exchange(
    stores: Stores,
    pairing_token: str,
    now: datetime,
    claims: DeviceClaims | None = None,
    *,
    idempotency_key: str | None = None,
) -> Exchanged:
    """Exchanges a pairing token; of any number of callers with one token exactly one succeeds.

    Args:
        claims: a serial number known in the token's workspace makes this a re-pairing: same device, and the session
            tokens it had end.
        idempotency_key: 16 to 128 of `A-Z a-z 0-9 _ -`, random; see the module.

    Raises:
        PairingRefused: with one of the four codes.
        Invalid: the key or the serial number is malformed.
        StoreUnavailable: nothing was consumed.
    """
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise Invalid("idempotency_key: 16 to 128 letters, digits, hyphens or underscores")
    hashed = token_hash(pairing_token.strip(AROUND), TokenKind.PAIRING)
    if hashed is None:
        raise _refusal(None, now)
    attempt = _Attempt(hashed, _replay_hash(idempotency_key), (claims or DeviceClaims()).checked(), now)
    # Two units of one serial number, or an exchange and its repetition, at once: whoever comes second sees the first.
    return await write_afresh(stores, attempt.run, "serial_number")


class _Attempt:
    """One exchange as an operation on a transaction; running it again starts afresh."""

    def __init__(self, hashed: str, replay_hash: str | None, claims: DeviceClaims, now: datetime) -> None:
        self.hashed = hashed
        self.replay_hash = replay_hash
        self.claims = claims
        self.now = now

    async def run(self, tx: Tx) -> Exchanged:
        token = await tx.pairing_tokens.by_hash_or_none(self.hashed)
        if token is None:
            raise _refusal(None, self.now)
        user = await self._user(tx, token)
        if not isinstance(judge(token, self.now), Redeemable):
            device_id = await self._device_of_lost_answer(tx, token)
        else:
            known = await self._known_device(tx, token)
            if not await tx.pairing_tokens.consume(self.hashed, self.now, self.replay_hash):
                raise OvertakenError
            device_id = await self._device(tx, token, known)
            await tx.pairing_tokens.set_device(token.id, device_id)
        return await self._session(tx, token, user, device_id)

    async def _user(self, tx: Tx, token: PairingToken) -> User:
        """Whose device it becomes; a token does not outlive its maker's right to it."""
        user = await tx.users.get_or_none(token.user_id)
        members = await tx.workspaces.role_or_none(token.workspace_id, token.user_id)
        if user is None or user.disabled_at is not None or members is None:
            raise PairingRefused("this pairing token was revoked", code="PAIRING_TOKEN_REVOKED")
        return user

    async def _known_device(self, tx: Tx, token: PairingToken) -> Device | None:
        """The device of this serial number, held."""
        if self.claims.serial_number is None:
            return None
        known = await tx.devices.by_serial_or_none(token.workspace_id, self.claims.serial_number)
        if known is None:
            return None
        held = await _held_or_none(tx, known.id)
        if held is not None and held.workspace_id != token.workspace_id:
            raise OvertakenError
        return held

    async def _device(self, tx: Tx, token: PairingToken, known: Device | None) -> DeviceId:
        """The known device, paired again, or a new one."""
        claims = self.claims
        if known is None:
            device_id = await self._new_device(tx, token)
            await self._note(tx, device_id, EventKind.PAIRED)
            return device_id
        await tx.devices.set_paired(
            known.id, token.user_id, self.now, claims.device_type, claims.agent_version, claims.instance
        )
        await self._end(tx, await tx.session_tokens.revoke_of_device(known.id, self.now))
        await self._note(tx, known.id, EventKind.PAIRED_AGAIN)
        return known.id

    async def _new_device(self, tx: Tx, token: PairingToken) -> DeviceId:
        device_id = DeviceId(mint_id(self.now))
        claims = self.claims
        await tx.devices.add(
            Device(
                id=device_id,
                workspace_id=token.workspace_id,
                user_id=token.user_id,
                name=token.name or claims.name or claims.serial_number or f"device {device_id[-6:]}",
                device_type=claims.device_type or DEFAULT_DEVICE_TYPE,
                serial_number=claims.serial_number,
                created_at=self.now,
                updated_at=self.now,
                agent_version=claims.agent_version,
                instance=claims.instance,
            )
        )
        return device_id

    async def _device_of_lost_answer(self, tx: Tx, token: PairingToken) -> DeviceId:
        """The device that this very exchange made a moment ago, whose answer was lost; else refuses."""
        if not may_replay(token, self.replay_hash, self.now) or token.device_id is None:
            raise _refusal(token, self.now)
        device = await _held_or_none(tx, token.device_id)
        if device is None or device.workspace_id != token.workspace_id:
            raise _refusal(token, self.now)
        await self._end(tx, await tx.session_tokens.revoke_of_pairing_token(token.id, self.now))
        return device.id

    async def _session(self, tx: Tx, token: PairingToken, user: User, device_id: DeviceId) -> Exchanged:
        text = mint_token(TokenKind.SESSION)
        session = SessionToken(
            id=TokenId(mint_id(self.now)),
            hash=token_hash(text, TokenKind.SESSION) or "",
            prefix=token_prefix(text),
            user_id=token.user_id,
            workspace_id=token.workspace_id,
            device_id=device_id,
            pairing_token_id=token.id,
            created_at=self.now,
            expires_at=self.now + SESSION_TOKEN_TTL,
        )
        await tx.session_tokens.add(session)
        await note(
            tx,
            self.now,
            Deed.PAIRED,
            by=user,
            through=Through.AGENT,
            workspace_id=token.workspace_id,
            subject=device_id,
            pairing_token=token.id,
            session_token=session.id,
            serial_number=self.claims.serial_number,
            agent_version=self.claims.agent_version,
        )
        return Exchanged(text, account_of(user), session.expires_at, device_id, token.user_id, token.id)

    async def _end(self, tx: Tx, token_ids: list[TokenId]) -> None:
        for token_id in token_ids:
            await tx.notices.append(NoticeKind.SESSION_TOKEN_REVOKED, token_id, self.now)

    async def _note(self, tx: Tx, device_id: DeviceId, kind: EventKind) -> None:
        detail = self.claims.agent_version
        await tx.device_events.append(
            DeviceEvent(EventId(mint_id(self.now)), device_id, kind, self.now, detail=detail)
        )


async def _held_or_none(tx: Tx, device_id: DeviceId) -> Device | None:
    """The device, for this transaction alone to change; None for one that was unpaired."""
    device = await tx.devices.lock_or_none(device_id)
    return device if device is not None and device.deleted_at is None else None


def _replay_hash(idempotency_key: str | None) -> str | None:
    return (
        hashlib.sha256(idempotency_key.encode("ascii")).hexdigest() if idempotency_key is not None else None
    )


def _refusal(token: PairingToken | None, now: datetime) -> PairingRefused:
    if token is None:
        return PairingRefused("this is no pairing token of this server", code="INVALID_PAIRING_TOKEN")
    match judge(token, now):
        case Revoked():
            return PairingRefused("this pairing token was revoked", code="PAIRING_TOKEN_REVOKED")
        case Expired():
            return PairingRefused(
                "this pairing token has expired; make a new one", code="PAIRING_TOKEN_EXPIRED"
            )
        case Used() | Redeemable():
            return PairingRefused("this pairing token was used already", code="PAIRING_TOKEN_USED")
