"""One example of each shape that people read first; the document shows it beside the schema.

They are held to their schemas by a test. Tokens in them are of no use anywhere.
"""

from collections.abc import Mapping

from visiona.web import audit_shapes, model_shapes, people_shapes, shapes, workspace_shapes

_DEVICE_ID = "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"
_USER_ID = "01a1ff80-0b1c-7a52-9f0e-3c1d2e4f5a6b"
_WORKSPACE_ID = "01a1ff80-0b1d-7c07-8d2a-11aa22bb33cc"
_MODEL_ID = "01a1ff91-7c3d-7e11-b0a5-6d5c4b3a2918"
_AT = "2026-01-02T03:04:05.678901Z"
_LATER = "2026-01-02T03:19:05.678901Z"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

_ACCELERATOR = {"id": "kl720-0", "name": "KL720", "chip": "KL720", "status": "connected", "port": "1-1.2"}
_DEVICE = {
    "id": _DEVICE_ID,
    "name": "Line 3",
    "device_type": "edge",
    "serial_number": "SN-0042",
    "remote_status": "online",
    "status": "connected",
    "tunnel_online": True,
    "last_seen_at": _AT,
    "last_connected_at": _AT,
    "agent_version": "1.4.0",
    "accelerators": [_ACCELERATOR],
    "tags": ["hall-2"],
    "workspace_id": _WORKSPACE_ID,
    "created_at": _AT,
    "updated_at": _AT,
}
_MODEL = {
    "id": _MODEL_ID,
    "name": "Hard hats",
    "version": "1.2.0",
    "target_chips": ["KL720"],
    "file_size": 8_388_608,
    "sha256": _SHA256,
    "source": "uploaded",
    "status": "ready",
    "metrics": {"mAP": 0.71},
    "workspace_id": _WORKSPACE_ID,
    "owner": _USER_ID,
    "created_at": _AT,
    "updated_at": _AT,
}
_TOKEN = {
    "id": _DEVICE_ID,
    "name": "nightly export",
    "token_prefix": "vAp_3f9a",
    "scopes": ["devices:read"],
    "created_at": _AT,
    "expires_at": _LATER,
}
_WORKSPACE = {
    "id": _WORKSPACE_ID,
    "name": "Plant 7",
    "role": "owner",
    "personal": False,
    "created_at": _AT,
    "updated_at": _AT,
}

EXAMPLES: Mapping[object, Mapping[str, object]] = {
    shapes.DeviceItem: _DEVICE,
    shapes.DeviceChange: {"name": "Line 3", "tags": ["hall-2"]},
    shapes.DeviceEventItem: {
        "id": _DEVICE_ID,
        "kind": "disconnected",
        "at": _AT,
        "cause": "keepalive_timeout",
    },
    shapes.NewPairingToken: {"id": _DEVICE_ID, "token": "vAc_" + "0" * 32, "expires_at": _LATER},
    shapes.PairingTokenWish: {"name": "Line 3"},
    shapes.PairingStatus: {
        "connected": True,
        "connected_at": _AT,
        "last_seen_at": _AT,
        "device_id": _DEVICE_ID,
    },
    shapes.ExchangeWish: {"pairing_token": "vAc_" + "0" * 32, "serial_number": "SN-0042", "name": "Line 3"},
    shapes.Exchanged: {
        "session_token": "vAs_" + "0" * 64,
        "account": "ada@example.com",
        "relay_url": "wss://relay.example.com",
        "expires_at": _LATER,
        "device_id": _DEVICE_ID,
    },
    shapes.SystemInfo: {"name": "visiona", "version": "0.1.0", "uptime_seconds": 86_400, "tunnels": 12},
    people_shapes.Me: {
        "sub": _USER_ID,
        "email": "ada@example.com",
        "name": "Ada",
        "workspaces": [{"id": _WORKSPACE_ID, "name": "Plant 7", "role": "owner"}],
        "personal_workspace_id": _WORKSPACE_ID,
        "scopes": ["devices:read", "devices:proxy"],
    },
    people_shapes.AccessTokenItem: _TOKEN,
    people_shapes.NewAccessToken: {**_TOKEN, "token": "vAp_" + "0" * 64},
    people_shapes.AccessTokenWish: {
        "name": "nightly export",
        "scopes": ["devices:read"],
        "ttl_seconds": 86_400,
    },
    model_shapes.ModelItem: _MODEL,
    model_shapes.ModelWish: {
        "name": "Hard hats",
        "version": "1.2.0",
        "target_chips": ["KL720"],
        "file_size": 8_388_608,
        "sha256": _SHA256,
    },
    model_shapes.AnnouncedModel: {
        "model": {**_MODEL, "status": "pending"},
        "upload_url": "https://visiona.example.com/storage/…",
        "expires_at": _LATER,
    },
    model_shapes.LoadWish: {"device_id": _DEVICE_ID},
    workspace_shapes.WorkspaceItem: _WORKSPACE,
    workspace_shapes.InvitationWish: {"email": "bob@example.com", "role": "member"},
    audit_shapes.AuditItem: {
        "id": _DEVICE_ID,
        "at": _AT,
        "deed": "paired",
        "outcome": "ok",
        "email": "ada@example.com",
        "user_id": _USER_ID,
        "through": "agent",
        "address": "192.0.2.7",
        "workspace_id": _WORKSPACE_ID,
        "subject": _DEVICE_ID,
        "details": {"serial_number": "SN-0042"},
    },
}
