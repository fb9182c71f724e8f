"""The configuration: TOML, environment, systemd credentials and flags become one frozen `Settings`.

The only reader of the environment. What can be set is declared by the settings classes of each floor; names, sources,
conversion and "did you mean" are derived from them.
"""

from visiona.config.loading import ConfigInvalid, Loaded, from_process, load, read
from visiona.config.settings import InternalSettings, Settings

__all__ = [
    "ConfigInvalid",
    "InternalSettings",
    "Loaded",
    "Settings",
    "from_process",
    "load",
    "read",
]
