"""The tables that are copied, in an order in which each refers only to those before it.

The one list of them: a test compares it with the schema, so a table or a column that is new there and missing here
does not pass. The ledger of the schema's steps is not among them; it is made, not copied.
"""

import re
from dataclasses import dataclass
from enum import Enum

LEDGER = "schema_migrations"
"""Where the schema's steps are noted."""

_COLUMN = re.compile(r"([a-z0-9_]+)(#|\?|\[\])?(?:@(\d+))?")


class Kind(Enum):
    """What a column holds, whatever the engine keeps it as; NULL besides."""

    TEXT = ""
    INTEGER = "#"
    BOOLEAN = "?"
    TEXTS = "[]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, and the step of the schema that brought it."""

    name: str
    kind: Kind
    since: int


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        key: the primary key: rows are read in its order, which is the same on every engine, for text is compared
            by its bytes. So two copies of the same rows are the same bytes.
        is_fleeting: a server makes rows here before anybody is there; they are no reason to call it not empty.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    is_fleeting: bool = False

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of the columns, in their order."""
        return tuple(column.kind for column in self.columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    # The names in these texts are those of this file.

    @property
    def select(self) -> str:
        """The question for all rows."""
        return f"SELECT {', '.join(self.column_names)} FROM {self.name} ORDER BY {', '.join(self.key)}"  # noqa: S608

    @property
    def count(self) -> str:
        """The question for how many rows there are."""
        return f"SELECT count(*) FROM {self.name}"  # noqa: S608

    @property
    def insert(self) -> str:
        """The text that adds a row, its values in the order of the columns."""
        places = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.column_names)}) VALUES ({places})"  # noqa: S608


def _table(name: str, key: str, columns: str, *, since: int = 1, is_fleeting: bool = False) -> Table:
    """A table from its columns' names; behind one: # a number, ? true or false, [] texts, @7 if step 7 brought it."""
    return Table(
        name, tuple(key.split()), tuple(_column(word, since) for word in columns.split()), is_fleeting
    )


def _column(word: str, since: int) -> Column:
    match = _COLUMN.fullmatch(word)
    assert match is not None, word
    return Column(match[1], Kind(match[2] or ""), int(match[3] or since))


TABLES = (
    _table("users", "id", "id email name password_hash is_admin? created_at# disabled_at#"),
    _table("workspaces", "id", "id name personal_of created_at# updated_at# deleted_at#"),
    _table("memberships", "workspace_id user_id", "workspace_id user_id role created_at#"),
    _table(
        "access_tokens",
        "token_hash",
        "token_hash id prefix user_id name scopes created_at# expires_at# revoked_at# last_used_at# made_with@10",
    ),
    _table(
        "devices",
        "id",
        "id workspace_id user_id name device_type serial_number created_at# updated_at# agent_version instance"
        " tags[] accelerators last_seen_at# last_connected_at# offline_cause offline_detail deleted_at#",
    ),
    _table(
        "pairing_tokens",
        "token_hash",
        "token_hash id prefix user_id workspace_id name created_at# expires_at# used_at# revoked_at# device_id"
        " replay_hash",
    ),
    _table(
        "session_tokens",
        "token_hash",
        "token_hash id prefix user_id workspace_id device_id pairing_token_id created_at# expires_at# revoked_at#",
    ),
    _table("device_events", "id", "id device_id kind at# cause detail"),
    _table("notices", "id", "id# kind subject at#", is_fleeting=True),
    _table("identities", "issuer subject", "issuer subject user_id created_at#", since=2),
    _table(
        "user_sessions",
        "token_hash",
        "token_hash id user_id created_at# last_seen_at# idle# absolute_expires_at# ends_at# user_agent address"
        " issuer subject idp_sid id_token",
        since=2,
    ),
    _table(
        "pending_logins",
        "state_hash",
        "state_hash browser_hash nonce code_verifier return_to created_at# expires_at#",
        since=2,
        is_fleeting=True,
    ),
    _table(
        "one_time_links",
        "link_hash",
        "link_hash purpose user_id created_at# expires_at# used_at#",
        since=3,
        is_fleeting=True,
    ),
    _table(
        "models",
        "id",
        "id workspace_id user_id name description version target_chips[] file_size# sha256 source status license"
        " metrics faa_object_key created_at# updated_at# deleted_at#",
        since=4,
    ),
    _table(
        "audit_entries",
        "id",
        "id at# deed outcome user_id email credential_id through address request_id workspace_id subject details",
        since=6,
    ),
    _table(
        "invitations",
        "token_hash",
        "token_hash id workspace_id email role invited_by created_at# expires_at#",
        since=8,
    ),
    _table(
        "model_loads",
        "id",
        "id device_id accelerator chip model_id model_name model_version sha256 size# workspace_id user_id token_id"
        " state sent_bytes# device_model_id fault sentence created_at# updated_at# flashing_at# ended_at#"
        " current_since# holder leased_until# stop_asked_at#",
        since=9,
    ),
)


def tables_at(step: int) -> tuple[Table, ...]:
    """The tables, and of them the columns, of a schema whose last step is this one."""
    found = (
        Table(
            table.name,
            table.key,
            tuple(column for column in table.columns if column.since <= step),
            table.is_fleeting,
        )
        for table in TABLES
    )
    return tuple(table for table in found if table.columns)
