"""Limits to try a store of counts with."""

from visiona.domain.rates import Limit, Window

ADDRESS = Limit("address", (Window(3, 60.0), Window(100, 3600.0)), 1000)
ACCOUNT = Limit("account", (Window(5, 3600.0),), 1000)
CROWDED = Limit("crowded", (Window(2, 3600.0),), 1000)
BRIEF = Limit("brief", (Window(1, 0.2),), 1000)
