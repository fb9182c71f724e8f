"""Whose the files are that root makes for the service."""

import os
from pathlib import Path


def give_to_owner_of_folder(path: Path) -> None:
    """Root puts things back for the service's user, who owns the folder and could not open them otherwise."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
