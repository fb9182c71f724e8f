"""Personal access tokens: made, listed, revoked.

A program may make tokens with its own. What it makes is less than what it has, and ends with it: whoever finds a token in
a log must not keep what it was good for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from visiona.domain import labels
from visiona.domain.access import Scope
from visiona.domain.audit import Deed
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from visiona.domain.ids import TokenId, UserId, is_uuid
from visiona.domain.notices import NoticeKind
from visiona.domain.tokens import ACCESS_TOKEN_TTL, AccessToken, TokenKind, token_hash, token_prefix
from visiona.services.audit import note
from visiona.services.minting import mint_id, mint_token
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

MAX_LIVE_PER_USER = 100
"""A person keeps track of fewer; a script that makes one per run is noticed."""

MAX_TTL = timedelta(days=3650)
"""A longer life is no expiry at all: ask for that by name."""


@dataclass(frozen=True, slots=True)
class NewAccessToken:
    """A token and its text, which exists nowhere else."""

    token: AccessToken
    text: str = field(repr=False)


async def create_access_token(
    stores: Stores,
    user_id: UserId,
    name: str,
    scopes: Iterable[Scope],
    now: datetime,
    *,
    ttl: timedelta | None = ACCESS_TOKEN_TTL,
    made_with: TokenId | None = None,
) -> NewAccessToken:
    """Makes a token for a user.

    Args:
        ttl: how long it is good; None only where its maker asked for one that never ends.
        made_with: the token that the maker came with, where it was one. The new one can do no more than that, lives
            no longer, and is revoked with it.

    Raises:
        Invalid: no name, no scope, or a life that is over before it begins.
        NotFound: there is no such user, or it is disabled.
        NotAllowed: it would outlive or outrank the one it is made with, or that is no good any more.
        Conflict: the user has too many.
    """
    chosen = frozenset(scopes)
    if not chosen:
        raise Invalid("scopes: name at least one of " + ", ".join(scope.value for scope in Scope))
    if ttl is not None and not timedelta(0) < ttl <= MAX_TTL:
        raise Invalid(f"ttl: between a moment and {MAX_TTL.days} days, or none at all")
    text = mint_token(TokenKind.ACCESS)
    token = AccessToken(
        id=TokenId(mint_id(now)),
        hash=token_hash(text, TokenKind.ACCESS) or "",
        prefix=token_prefix(text),
        user_id=user_id,
        name=labels.name(name),
        scopes=chosen,
        created_at=now,
        expires_at=now + ttl if ttl is not None else None,
        made_with=made_with,
    )

    async def add(tx: Tx) -> None:
        user = await tx.users.lock_or_none(user_id)
        if user is None or user.disabled_at is not None:
            raise NotFound("there is no such account, or it is disabled")
        await _need_parent_above(tx, token, now)
        if await tx.access_tokens.count_live(user_id, now) >= MAX_LIVE_PER_USER:
            raise Conflict(f"there are {MAX_LIVE_PER_USER} tokens; revoke one first")
        await tx.access_tokens.add(token)
        await note(
            tx,
            now,
            Deed.TOKEN_CREATED,
            subject=token.id,
            name=token.name,
            owner=user.email,
            scopes=" ".join(sorted(scope.value for scope in chosen)),
            expires_at=token.expires_at.isoformat() if token.expires_at is not None else "never",
        )

    await stores.write(add)
    return NewAccessToken(token, text)


async def list_access_tokens(stores: Stores, user_id: UserId) -> list[AccessToken]:
    """A user's tokens, also expired and revoked ones, the newest first."""

    async def page(tx: Tx) -> list[AccessToken]:
        return await tx.access_tokens.list_of_user(user_id, MAX_ROWS)

    return await stores.read(page)


async def _need_parent_above(tx: Tx, token: AccessToken, now: datetime) -> None:
    """The user is held: whoever revokes the parent at this moment comes before or after, and finds the child then."""
    if token.made_with is None:
        return
    parent = await tx.access_tokens.get_or_none(token.made_with)
    if parent is None or parent.user_id != token.user_id or not parent.is_live(now):
        raise NotAllowed("the token that this one was to be made with is no good any more")
    if token.scopes - parent.scopes:
        raise NotAllowed("a token cannot give scopes that it does not have")
    if parent.expires_at is not None and (token.expires_at is None or token.expires_at > parent.expires_at):
        seconds = int((parent.expires_at - now).total_seconds())
        raise NotAllowed(f"a token makes none that outlives it: ask for {seconds} seconds at the most")


async def revoke_access_token(
    stores: Stores, token_id: TokenId, now: datetime, *, user_id: UserId | None = None
) -> list[TokenId]:
    """Ends a token and those that were made with it; whoever serves learns it within a second.

    Says which ended; none if it was revoked already.

    Args:
        user_id: whose token it must be; None for the operator, who may end anybody's.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """

    async def revoke(tx: Tx) -> list[TokenId]:
        token = await tx.access_tokens.get_or_none(token_id) if is_uuid(token_id) else None
        if token is None or (user_id is not None and token.user_id != user_id):
            raise NotFound("there is no such token")
        # Held, so that none is made with it meanwhile.
        owner = await tx.users.lock_or_none(token.user_id)
        whose = owner.email if owner is not None else None
        ended: list[TokenId] = []
        doomed = [token]
        while doomed:
            each = doomed.pop()
            if not await tx.access_tokens.revoke(each.id, now):
                continue
            ended.append(each.id)
            doomed += await tx.access_tokens.list_made_with(each.user_id, each.id, MAX_ROWS)
            how = "made with one that was revoked" if each is not token else None
            await note(tx, now, Deed.TOKEN_REVOKED, subject=each.id, name=each.name, owner=whose, how=how)
            await tx.notices.append(NoticeKind.TOKEN_REVOKED, each.id, now)
        return ended

    return await stores.write(revoke)
