"""Other people's services, each behind a Protocol (interface.py); nothing here knows stores, tunnels or HTTP in."""
