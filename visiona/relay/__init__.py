"""Tunnels as a server sees them: who may connect, who is online, and what runs over them."""
