"""The source that an address names: a folder of this machine, or of Google Drive.

What belongs here: the one place that knows all sources. Libraries of a source are imported only where it is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.sources.folder import FolderSource
from nh_pipeline.sources.protocol import SourceUnavailable

if TYPE_CHECKING:
    from nh_pipeline.sources.google_drive import DriveSource
    from nh_pipeline.sources.protocol import Source

DRIVE = "gdrive://"
"""Beginning of the address of a Google Drive folder; its id follows."""

_LIBRARIES = {"google", "googleapiclient", "google_auth_httplib2", "httplib2"}


def open_source(address: str, *, credentials: str = "", endpoint: str = "") -> Source:
    """Opens a source; credentials are read afresh each time.

    Args:
        address: Path of a folder, or ``gdrive://<folder id>``.
        credentials: For Google Drive: path of a JSON file, ARN of a secret, or ``secretsmanager://<name>``.
        endpoint: For Google Drive: address of the API, if it is not Google's.

    Raises:
        SourceUnavailable: If a library is missing or the credentials cannot be read.
    """
    if address.startswith(DRIVE):
        return open_drive(address, credentials=credentials, endpoint=endpoint)
    return FolderSource(address)


def open_drive(address: str, *, credentials: str, endpoint: str = "") -> DriveSource:
    """Opens a Google Drive folder; see :func:`open_source`."""
    folder = address.removeprefix(DRIVE)
    if not folder or not folder.replace("-", "").replace("_", "").isalnum():
        raise SourceUnavailable(
            f"{address!r} is no folder of Google Drive. Set NH_SOURCE to {DRIVE} and the last part of the folder's "
            "address in the browser, without what follows a question mark."
        )
    try:
        from nh_pipeline.sources.google_drive import DriveSource
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _LIBRARIES:
            raise
        raise SourceUnavailable(
            f"Google Drive needs {error.name}, which is not installed. Install it: pip install 'nh-pipeline[drive]'."
        ) from None
    return DriveSource(folder, credentials, endpoint=endpoint)
