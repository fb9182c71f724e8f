"""The stores of one open SQL transaction."""

from visiona.stores.sql.access_tokens import SqlAccessTokens
from visiona.stores.sql.audit import SqlAudit
from visiona.stores.sql.device_events import SqlDeviceEvents
from visiona.stores.sql.devices import SqlDevices
from visiona.stores.sql.engine import SqlTransaction
from visiona.stores.sql.identities import SqlIdentities
from visiona.stores.sql.invitations import SqlInvitations
from visiona.stores.sql.model_loads import SqlLoads
from visiona.stores.sql.models import SqlModels
from visiona.stores.sql.notices import SqlNotices
from visiona.stores.sql.one_time_links import SqlOneTimeLinks
from visiona.stores.sql.pairing_tokens import SqlPairingTokens
from visiona.stores.sql.pending_logins import SqlPendingLogins
from visiona.stores.sql.session_tokens import SqlSessionTokens
from visiona.stores.sql.user_sessions import SqlUserSessions
from visiona.stores.sql.users import SqlUsers
from visiona.stores.sql.workspaces import SqlWorkspaces


class SqlTx:
    """See interfaces.Tx."""

    def __init__(self, tx: SqlTransaction) -> None:
        self.users = SqlUsers(tx)
        self.workspaces = SqlWorkspaces(tx)
        self.invitations = SqlInvitations(tx)
        self.access_tokens = SqlAccessTokens(tx)
        self.pairing_tokens = SqlPairingTokens(tx)
        self.session_tokens = SqlSessionTokens(tx)
        self.devices = SqlDevices(tx)
        self.device_events = SqlDeviceEvents(tx)
        self.models = SqlModels(tx)
        self.model_loads = SqlLoads(tx)
        self.audit = SqlAudit(tx)
        self.notices = SqlNotices(tx)
        self.identities = SqlIdentities(tx)
        self.user_sessions = SqlUserSessions(tx)
        self.pending_logins = SqlPendingLogins(tx)
        self.one_time_links = SqlOneTimeLinks(tx)
