"""Stores with something in every table, and with a hundred thousand rows."""

import dataclasses
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from visiona.domain.access import Role
from visiona.domain.devices import Accelerator, AcceleratorStatus
from visiona.domain.loads import Fault
from visiona.domain.models import ModelStatus
from visiona.domain.notices import NoticeKind
from visiona.domain.one_time_links import LinkPurpose, OneTimeLink
from visiona.domain.sessions import Identity, PendingLogin
from visiona.domain.workspaces import Membership
from visiona.stores.interfaces import Stores, Tx
from visiona.stores.opening import open_stores
from visiona.stores.settings import StoreSettings
from visiona.stores.sql.sqlite_file import connect

from tests.support.nouns import NOW, a_home, a_user, a_workspace, add_one, an_entry, an_event, new_hash

HARD_TEXTS = ("", "a,b", '"quoted" \\ back', "line\nline\r\u2028", "雨 é e\u0301 🛰️", "{}", "NULL", "'); --")
"""What a format can stumble over."""


async def fill(stores: Stores) -> None:
    """Puts at least one row into each table, with every kind of value."""
    home = await a_home(stores, "ada@example.com")
    shared = a_workspace(name=HARD_TEXTS[3])
    gone = dataclasses.replace(home.device(serial_number="S-1"), deleted_at=NOW)
    device = dataclasses.replace(
        home.device(serial_number="S-1", name=HARD_TEXTS[4]),
        tags=HARD_TEXTS,
        accelerators=tuple(
            Accelerator(str(number), text, "KL720", AcceleratorStatus.ERROR, port=None)
            for number, text in enumerate(HARD_TEXTS)
        ),
        last_seen_at=NOW + timedelta(microseconds=1),
    )
    pairing = dataclasses.replace(
        home.pairing_token(), used_at=NOW, device_id=device.id, replay_hash=new_hash()
    )
    model = dataclasses.replace(
        home.model(chips=HARD_TEXTS), metrics={"fps": 29.97}, status=ModelStatus.READY, file_size=2**40
    )
    in_ten_minutes = NOW + timedelta(minutes=10)

    async def add(tx: Tx) -> None:
        for noun in (
            dataclasses.replace(a_user("bob@example.com"), password_hash="$argon2id$v=19$…", is_admin=True),
            shared,
            Membership(shared.id, home.user.id, Role.MEMBER, NOW),
            home.invitation("carol@example.com"),
            home.access_token(expires_at=in_ten_minutes),
            home.access_token(),
            gone,
            device,
            pairing,
            home.session_token(device, pairing_token_id=pairing.id),
            an_event(device),
            an_entry(),
            dataclasses.replace(
                an_entry(user_id=home.user.id, workspace_id=shared.id, subject=device.id),
                details={"name": HARD_TEXTS[2], "seen": HARD_TEXTS[4]},
            ),
        ):
            await add_one(tx, noun)
        await tx.models.add(model)
        going, over = home.load(device, model, HARD_TEXTS[2]), home.load(device, model, HARD_TEXTS[4])
        await add_one(tx, dataclasses.replace(going, stop_asked_at=NOW))
        failed = over.load.failed(Fault.DEVICE_ERROR, HARD_TEXTS[2], NOW)
        await add_one(tx, dataclasses.replace(over, load=failed))
        await tx.notices.append(NoticeKind.USER_DISABLED, "a", NOW)
        await tx.identities.add(Identity("https://id.example", HARD_TEXTS[2], home.user.id, NOW))
        await tx.user_sessions.add(home.session(idp_sid="sid"))
        await tx.pending_logins.add(
            PendingLogin(new_hash(), new_hash(), "nonce", "verifier", "/devices", NOW, in_ten_minutes)
        )
        await tx.one_time_links.add(
            OneTimeLink(new_hash(), LinkPurpose.SIGN_IN, home.user.id, NOW, in_ten_minutes, used_at=NOW)
        )

    await stores.write(add)


async def filled(folder: Path) -> StoreSettings:
    """A state directory with such a SQLite file and the server's keys."""
    settings = StoreSettings(None, folder)
    async with open_stores(settings, exclusive=True) as stores:
        await fill(stores)
    (folder / "session.key").write_bytes(b"sealing\n")
    (folder / "idp-keys.json").write_bytes(b"{}\n")
    return settings


MANY = 100_000


async def filled_with_many(folder: Path, rows: int = MANY) -> StoreSettings:
    """As `filled`, with so many devices and events more."""
    settings = await filled(folder)
    with closing(connect(settings.database_file, "off")) as connection:
        workspace, user = connection.execute(
            "SELECT id, personal_of FROM workspaces WHERE personal_of IS NOT NULL"
        ).fetchone()
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO devices (id, workspace_id, user_id, name, device_type, serial_number, created_at,"
            " updated_at, tags, accelerators) VALUES (?, ?, ?, ?, 'edge', ?, ?, ?, ?, '[]')",
            (
                (f"device-{n:06}", workspace, user, f"Gate {n}", f"S{n}", n, n, '["north","gate"]')
                for n in range(rows // 5)
            ),
        )
        connection.executemany(
            "INSERT INTO device_events (id, device_id, kind, at, cause) VALUES (?, ?, 'connected', ?, NULL)",
            ((f"event-{n:06}", f"device-{n % (rows // 5):06}", n) for n in range(rows - rows // 5)),
        )
        connection.execute("COMMIT")
    return settings


def dump(file: Path) -> list[str]:
    """The schema and all rows of a SQLite file as sorted lines, but for when the schema's steps ran."""
    with closing(sqlite3.connect(file)) as connection:
        return sorted(line for line in connection.iterdump() if "schema_migrations" not in line)
