"""The audit log: who did what to what, from where, and what came of it.

An entry is written in the transaction that does the deed, so the one exists exactly when the other does; it refers to
what it names without holding it, for it outlives that. No secret is ever in it: tokens are named by their ids.
Words are kept as texts: a server that is rolled back must still show what a newer one wrote.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from visiona.domain.ids import AuditId, UserId, WorkspaceId
from visiona.domain.labels import label
from visiona.domain.tokens import MASK_CHARACTERS

MAX_DETAILS = 12
MAX_DETAIL_CHARACTERS = 200
"""An entry is a line for a person to read, about half a kibibyte; the rest is in the log."""

_TOKEN = re.compile(rf"(vA[a-z]_[0-9A-Za-z]{{{MASK_CHARACTERS - 4}}})[0-9A-Za-z]+")


class Deed(StrEnum):
    """What was done; in brackets, what `subject` names. For programs: a word never changes."""

    SIGN_IN = "sign_in"  # [session]
    SIGN_IN_REFUSED = "sign_in_refused"  # [user, if it is known whose account]
    SIGN_OUT = "sign_out"  # [session]
    SIGN_OUT_REFUSED = "sign_out_refused"  # what claimed to be the identity provider's word
    SESSION_ENDED = "session_ended"  # [session]
    CREDENTIAL_REFUSED = "credential_refused"  # a token or a session's cookie that is not good
    ACCESS_REFUSED = "access_refused"  # known, but may not
    TOKEN_CREATED = "token_created"  # [access token]
    TOKEN_REVOKED = "token_revoked"  # [access token]
    PAIRING_TOKEN_CREATED = "pairing_token_created"  # [pairing token]
    PAIRING_TOKEN_REVOKED = "pairing_token_revoked"  # [pairing token]
    SESSION_TOKEN_REVOKED = "session_token_revoked"  # [session token]
    PAIRED = "paired"  # [device]
    PAIRING_REFUSED = "pairing_refused"
    UNPAIRED = "unpaired"  # [device]
    DEVICE_CHANGED = "device_changed"  # [device]
    DEVICE_MOVED = "device_moved"  # [device]
    DEVICE_REFUSED = "device_refused"  # a session token that is not good, at the relay
    USER_CREATED = "user_created"  # [user]
    USER_DISABLED = "user_disabled"  # [user]
    USER_ENABLED = "user_enabled"  # [user]
    PASSWORD_CHANGED = "password_changed"  # [user]
    LINK_CREATED = "link_created"  # [user, if it signs one in]
    LINK_USED = "link_used"  # [user]
    WORKSPACE_CREATED = "workspace_created"  # [workspace]
    WORKSPACE_RENAMED = "workspace_renamed"  # [workspace]
    WORKSPACE_DELETED = "workspace_deleted"  # [workspace]
    MEMBER_INVITED = "member_invited"  # [invitation]
    INVITATION_REVOKED = "invitation_revoked"  # [invitation]
    MEMBER_JOINED = "member_joined"  # [user]
    ROLE_CHANGED = "role_changed"  # [user]
    MEMBER_REMOVED = "member_removed"  # [user]
    MODEL_CREATED = "model_created"  # [model]
    MODEL_CHANGED = "model_changed"  # [model]
    MODEL_UPLOADED = "model_uploaded"  # [model]
    MODEL_DELETED = "model_deleted"  # [model]
    MODEL_LOAD_STARTED = "model_load_started"  # [load]
    MODEL_LOAD_ENDED = "model_load_ended"  # [load]
    MODEL_LOAD_CANCELLED = "model_load_cancelled"  # [load]
    AUDIT_EXPORTED = "audit_exported"


class Outcome(StrEnum):
    """What came of it."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"


class Through(StrEnum):
    """By what way somebody came."""

    SESSION = "session"
    TOKEN = "token"
    CLI = "cli"
    AGENT = "agent"
    SERVER = "server"  # by itself: at its start, or when it counts
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log.

    Attributes:
        user_id: who did it; None where nobody was signed in, and for the operator at the command line.
        email: that user's, as it was then.
        credential_id: the session or the personal access token that was used.
        through: one of `Through`.
        address: from where; empty at the command line.
        workspace_id: in which workspace; its admins may read the entry.
        subject: the id of what it was done to.
        details: what else is worth knowing; never a secret.
    """

    id: AuditId
    at: datetime
    deed: str
    outcome: str = Outcome.OK
    user_id: UserId | None = None
    email: str | None = None
    credential_id: str | None = None
    through: str = Through.NOBODY
    address: str = ""
    request_id: str = ""
    workspace_id: WorkspaceId | None = None
    subject: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; each that is given narrows the list. `since` is within, `until` is not."""

    deed: str | None = None
    user_id: UserId | None = None
    subject: str | None = None
    workspace_id: WorkspaceId | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, entry: AuditEntry) -> bool:
        """Whether the entry is one of those."""
        return (
            self.deed in {None, entry.deed}
            and self.user_id in {None, entry.user_id}
            and self.subject in {None, entry.subject}
            and self.workspace_id in {None, entry.workspace_id}
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


EVERY_ENTRY = AuditFilter()


@dataclass(frozen=True, slots=True)
class Sight:
    """What of the log somebody may see: what they did, what was done to their account, and what happened in the
    workspaces that they look after.

    Attributes:
        user_id: None for who sees everything.
    """

    user_id: UserId | None
    workspace_ids: tuple[WorkspaceId, ...] = ()

    def takes(self, entry: AuditEntry) -> bool:
        """Whether the entry may be seen."""
        return (
            self.user_id is None
            or self.user_id in {entry.user_id, entry.subject}
            or entry.workspace_id in self.workspace_ids
        )

    def part_of(self, entry: AuditEntry) -> AuditEntry:
        """What may be seen of an entry that may be.

        Whoever was removed, or made something else, sees by whom, and not from where and with which session that was.
        Of who came as nobody (a refused sign-in to one's account) the address is what one wants to know.
        """
        if (
            self.user_id is None
            or entry.user_id in {None, self.user_id}
            or entry.workspace_id in self.workspace_ids
        ):
            return entry
        return replace(entry, address="", credential_id=None, request_id="")


EVERYTHING = Sight(None)


def detail(value: object) -> str:
    """A value as an entry may hold it: one readable line; what is spelled like a token is cut."""
    text = _TOKEN.sub(r"\1…", str(value))
    return label(text, MAX_DETAIL_CHARACTERS)
