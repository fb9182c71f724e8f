"""The JSON API, one file per noun; each offers one blueprint."""
