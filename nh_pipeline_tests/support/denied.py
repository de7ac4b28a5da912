"""Folders that may not be listed, whoever runs the tests: for root no permission is missing."""

from __future__ import annotations

import os


def deny_listing(monkeypatch, name):
    """From now on no folder can be listed whose path ends so."""
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
