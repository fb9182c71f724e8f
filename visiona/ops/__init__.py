"""Watching, not serving: logs, health, metrics, stalls, the service manager."""
