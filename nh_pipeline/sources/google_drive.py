"""Deliveries in a folder of Google Drive, with all its sub-folders, in My Drive or on a shared drive.

What belongs here: what the folder holds, what has changed in it, and its files' bytes. Not here: requests and their
failures (:mod:`.drive_client`), credentials (:mod:`.drive_credentials`), and what has become of a file in the lake
(:mod:`nh_pipeline.landing.source_state`).

What is no file of the folder: folders themselves, and what is in the trash. Not delivered, with a reason: shortcuts
(their target's changes would not be seen), Google documents other than Sheets, and files whose download is forbidden.
A Google Sheet is delivered as the CSV of its first sheet; since Drive tells no md5 of it, it is exported when it is
listed.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from nh_pipeline.sources.drive_client import DriveClient, DriveError
from nh_pipeline.sources.drive_credentials import drive_credentials
from nh_pipeline.sources.litter import PARTIAL, is_litter, is_partial
from nh_pipeline.sources.protocol import PEEK_BYTES, Changes, SourceFile, SourceUnavailable, Unusable
from nh_pipeline.sources.ranged import Ranged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from nh_pipeline.sources.drive_client import Conversation

NAME = "google-drive"

CHUNK_BYTES = 8 << 20
"""How much of a file is asked for, and is in memory, at once."""

LISTING_SECONDS, PEEK_SECONDS, CHUNK_SECONDS = 25.0, 12.0, 120.0
"""How long a listing, a peek and each chunk of a download may be tried again; a sensor's tick has 60 s in all."""

_FOLDER = "application/vnd.google-apps.folder"
_SHEET = "application/vnd.google-apps.spreadsheet"
_SHORTCUT = "application/vnd.google-apps.shortcut"
_GOOGLE = "application/vnd.google-apps."
_FIELDS = "id,name,mimeType,md5Checksum,size,modifiedTime,trashed,parents,capabilities(canDownload)"
_FOLDERS_AT_ONCE = 20
"""Folders in one query: longer addresses are not sent as they are."""

_INVALID_TOKEN = {400, 404, 410}
_NO_RANGE = 416


class _Cursor(BaseModel):
    """Where to go on from: Drive's page token, and the folders as of then, which say what is inside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    startPageToken: str  # noqa: N815 (as Drive calls it)
    folder: str
    drive: str | None
    folders: list[str]


class DriveFolder(BaseModel):
    """The watched folder: its name, and the shared drive that it is on, if it is on one."""

    name: str
    drive: str | None


class DriveSource:
    """A folder of Google Drive.

    Args:
        folder: Its id: the last part of its address in the browser.
        credentials: Where the credentials are; see :func:`.drive_credentials.drive_credentials`. Read here and now.
        endpoint: Address of the Drive API, if it is not Google's.
        page_size: Entries per page of a listing.
        client: Other options of the :class:`.drive_client.DriveClient`.

    Raises:
        SourceUnavailable: If the credentials cannot be read.
    """

    name = NAME
    authoritative = True

    def __init__(
        self, folder: str, credentials: str, *, endpoint: str = "", page_size: int = 1000, **client: Any
    ) -> None:
        self.folder = folder
        made, self.account = drive_credentials(credentials)
        self._client = DriveClient(made, endpoint=endpoint, **client)
        self._page_size = page_size

    def about(self) -> DriveFolder:
        """The folder itself.

        Raises:
            SourceUnavailable: If it cannot be seen, is in the trash or is no folder.
        """
        with self._client.within(LISTING_SECONDS) as drive:
            return self._about(drive)

    def changes(self, cursor: str | None = None) -> Changes:
        """What is new or gone; see :meth:`nh_pipeline.sources.protocol.Source.changes`.

        Everything is listed without a cursor, with one that Drive does not take any more, and when a folder was
        added, moved or removed: Drive tells of the folder then, but not of the files in it.
        """
        with self._client.within(LISTING_SECONDS) as drive:
            shared = self._about(drive).drive
            known = _cursor(cursor)
            if known is not None and (known.folder, known.drive) == (self.folder, shared):
                entries, token = self._entries(drive, known)
                since = self._since(drive, known, entries, token) if token else None
                if since is not None:
                    return since
            return self._everything(drive, shared)

    def find(self, file_ids: Collection[str]) -> list[SourceFile]:
        """Files by their ids; see :meth:`nh_pipeline.sources.protocol.Source.find`."""
        found, parents = [], {self.folder: True}
        with self._client.within(LISTING_SECONDS) as drive:
            self._about(drive)
            for file_id in file_ids:
                item = self._item(drive, file_id)
                if item and not item["trashed"] and self._inside(drive, item, parents):
                    found.append(self._file(drive, item))
        return _sorted(file for file in found if isinstance(file, SourceFile) and not is_litter(file.name))

    def peek(self, file: SourceFile, size: int = PEEK_BYTES) -> bytes:
        """The first bytes of a file; see :meth:`nh_pipeline.sources.protocol.Source.peek`."""
        with self._client.within(PEEK_SECONDS) as drive:
            return self._bytes(drive, file, 0, size)

    def open(self, file: SourceFile) -> BinaryIO:
        """A file as a stream of ranged reads; see :meth:`nh_pipeline.sources.protocol.Source.open`."""

        def read(start: int, size: int) -> bytes:
            with self._client.within(PEEK_SECONDS) as drive:
                return self._bytes(drive, file, start, size)

        return io.BufferedReader(Ranged(read, file.size or 0), PEEK_BYTES)

    def download(self, file: SourceFile, out: BinaryIO) -> None:
        """Copies a file in chunks; see :meth:`nh_pipeline.sources.protocol.Source.download`.

        A broken connection is taken up at the chunk that it broke off in. A file that changes meanwhile ends in
        another size or md5 than it was listed with, which whoever lands it finds.
        """
        done = 0
        with self._client.within(CHUNK_SECONDS) as drive:
            while file.size is None or done < file.size:
                chunk = self._bytes(drive, file, done, CHUNK_BYTES)
                out.write(chunk)
                done += len(chunk)
                if not chunk:
                    break
                drive.extend(CHUNK_SECONDS)

    def _about(self, drive: Conversation) -> DriveFolder:
        request = drive.files.get(fileId=self.folder, fields="id,name,mimeType,trashed,driveId", supportsAllDrives=True)
        try:
            root = drive.ask(request, f"look at the folder {self.folder}")
        except DriveError as error:
            if error.status == 404:  # noqa: PLR2004
                raise SourceUnavailable(
                    f"no folder {self.folder} on Google Drive for {self.account}. Share the folder with that account, "
                    "as Viewer, or correct NH_SOURCE: gdrive:// and the last part of the folder's address. Nothing "
                    "was taken as removed."
                ) from None
            raise
        if root["mimeType"] != _FOLDER:
            raise SourceUnavailable(
                f"{root['name']!r} ({self.folder}) is no folder of Google Drive. Set NH_SOURCE to gdrive:// and the "
                "last part of the address of the folder itself, not of a file or a shortcut in it."
            )
        if root["trashed"]:
            raise SourceUnavailable(
                f"the folder {root['name']!r} ({self.folder}) is in the trash. Restore it, or set NH_SOURCE to another "
                "one. Nothing was taken as removed."
            )
        return DriveFolder(name=root["name"], drive=root.get("driveId"))

    def _entries(self, drive: Conversation, known: _Cursor) -> tuple[dict[str, dict[str, Any]], str | None]:
        """The last change of each file since the token, and the new token; None if Drive does not take the old one."""
        entries: dict[str, dict[str, Any]] = {}
        token: str | None = known.startPageToken
        while token:
            request = drive.changes.list(
                pageToken=token,
                pageSize=self._page_size,
                fields=f"nextPageToken,newStartPageToken,changes(changeType,removed,fileId,file({_FIELDS}))",
                **_everywhere(known.drive),
            )
            try:
                page = drive.ask(request, "list the changes of the folder")
            except DriveError as error:
                if error.status in _INVALID_TOKEN:
                    return {}, None
                raise
            entries.update({c["fileId"]: c for c in page.get("changes", []) if c.get("changeType") == "file"})
            if "newStartPageToken" in page:
                return entries, str(page["newStartPageToken"])
            token = page.get("nextPageToken")
        return {}, None

    def _since(
        self, drive: Conversation, known: _Cursor, entries: dict[str, dict[str, Any]], token: str
    ) -> Changes | None:
        """The changes, or None if they concern a folder."""
        folders, found, removed = set(known.folders), [], []
        for file_id, entry in entries.items():
            item = None if entry.get("removed") else entry.get("file")
            if file_id == self.folder:
                continue
            if item is not None and (item["trashed"] or not folders & set(item.get("parents", []))):
                item = None
            if file_id in folders or (item is not None and item["mimeType"] == _FOLDER):
                return None
            if item is None:
                removed.append(file_id)
            else:
                found.append(self._file(drive, item))
        cursor = known.model_copy(update={"startPageToken": token})
        return _changes(found, sorted(removed), cursor, complete=False)

    def _everything(self, drive: Conversation, shared: str | None) -> Changes:
        # The token first: what changes while the pages are read is told again from there.
        of_drive = {"driveId": shared} if shared else {}
        request = drive.changes.getStartPageToken(supportsAllDrives=True, **of_drive)
        token = drive.ask(request, "ask for a page token")["startPageToken"]
        folders, found, level = {self.folder}, [], [self.folder]
        while level:
            items = {item["id"]: item for item in self._children(drive, level, shared)}
            level = [i for i, item in items.items() if item["mimeType"] == _FOLDER and i not in folders]
            folders |= set(level)
            found += [self._file(drive, item) for item in items.values() if item["mimeType"] != _FOLDER]
        cursor = _Cursor(startPageToken=token, folder=self.folder, drive=shared, folders=sorted(folders))
        return _changes(found, [], cursor, complete=True)

    def _children(self, drive: Conversation, folders: list[str], shared: str | None) -> Iterator[dict[str, Any]]:
        for start in range(0, len(folders), _FOLDERS_AT_ONCE):
            among = " or ".join(f"'{folder}' in parents" for folder in folders[start : start + _FOLDERS_AT_ONCE])
            token = None
            while True:
                request = drive.files.list(
                    q=f"({among}) and trashed = false",
                    pageToken=token,
                    pageSize=self._page_size,
                    fields=f"nextPageToken,incompleteSearch,files({_FIELDS})",
                    **({"corpora": "drive"} if shared else {}),
                    **_everywhere(shared),
                )
                page = drive.ask(request, "list the folder")
                if page.get("incompleteSearch"):
                    raise SourceUnavailable(
                        "cannot list the folder: Google Drive says that its answer is incomplete. Nothing was taken as "
                        "removed; the next look tries again."
                    )
                yield from page.get("files", [])
                token = page.get("nextPageToken")
                if not token:
                    break

    def _item(self, drive: Conversation, file_id: str) -> dict[str, Any] | None:
        try:
            request = drive.files.get(fileId=file_id, fields=_FIELDS, supportsAllDrives=True)
            item: dict[str, Any] = drive.ask(request, f"look at the file {file_id}")
        except DriveError as error:
            if error.status == 404:  # noqa: PLR2004
                return None
            raise
        return item

    def _inside(self, drive: Conversation, item: dict[str, Any], known: dict[str, bool]) -> bool:
        """Whether the chain of parents leads to the folder; ``known`` holds what was found out on the way."""
        for parent in item.get("parents", []):
            if parent not in known:
                known[parent] = False  # while it is looked at: a circle leads nowhere
                above = self._item(drive, parent)
                known[parent] = above is not None and self._inside(drive, above, known)
            if known[parent]:
                return True
        return False

    def _file(self, drive: Conversation, item: dict[str, Any]) -> SourceFile | Unusable:
        file_id, name, kind = item["id"], item["name"], item["mimeType"]
        reason = ""
        if is_partial(name):
            reason = PARTIAL
        elif kind == _SHORTCUT:
            reason = "a shortcut is not followed: put the file itself into the folder"
        elif kind.startswith(_GOOGLE) and kind != _SHEET:
            reason = "a Google document is no delivery: download it as CSV, and put the CSV into the folder"
        elif not item.get("capabilities", {}).get("canDownload", True):
            reason = "its owner forbids downloads: allow viewers to download the file"
        elif kind != _SHEET and "md5Checksum" not in item:
            reason = "Google Drive tells no md5 of it, so that it cannot be verified: upload it again"
        if reason:
            return Unusable(file_id=file_id, name=name, reason=reason)
        if kind != _SHEET:
            return SourceFile(
                file_id=file_id,
                name=name,
                size=int(item["size"]),  # Drive tells it as text
                modified_at=item["modifiedTime"],
                md5=item["md5Checksum"],
            )
        try:
            content = self._exported(drive, file_id, name)
        except DriveError as error:
            if "exportSizeLimitExceeded" not in error.reasons:
                raise
            return Unusable(file_id=file_id, name=name, reason=str(error))
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return SourceFile(file_id=file_id, name=name, size=len(content), modified_at=item["modifiedTime"], md5=digest)

    def _bytes(self, drive: Conversation, file: SourceFile, start: int, size: int) -> bytes:
        request = drive.files.get_media(fileId=file.file_id, supportsAllDrives=True)
        request.headers["range"] = f"bytes={start}-{start + size - 1}"
        request.headers["accept-encoding"] = "identity"  # the range is one of the file's own bytes
        try:
            content: bytes = drive.ask(request, f"read {file.name!r}")
        except DriveError as error:
            if error.status == _NO_RANGE:  # behind the end, as is the first byte of an empty file
                return b""
            if "fileNotDownloadable" in error.reasons:  # a Google Sheet, which has no bytes of its own
                return self._exported(drive, file.file_id, file.name)[start : start + size]
            raise
        return content

    def _exported(self, drive: Conversation, file_id: str, name: str) -> bytes:
        """The CSV of a Google Sheet; Google makes none of more than 10 MB, and takes no ranges."""
        request = drive.files.export_media(fileId=file_id, mimeType="text/csv")
        content: bytes = drive.ask(request, f"export {name!r} as CSV")
        return content


def _everywhere(shared: str | None) -> dict[str, Any]:
    """Options that a listing needs, so that shared drives are looked at."""
    everywhere = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}
    return {**everywhere, "driveId": shared} if shared else everywhere


def _cursor(text: str | None) -> _Cursor | None:
    if text is None:
        return None
    try:
        return _Cursor.model_validate_json(text)
    except ValidationError:
        return None


def _sorted(files: Iterable[SourceFile]) -> list[SourceFile]:
    return sorted(files, key=lambda file: (file.name, file.file_id))


def _changes(found: Iterable[SourceFile | Unusable], removed: list[str], cursor: _Cursor, *, complete: bool) -> Changes:
    found = list(found)
    removed = [*removed, *(file.file_id for file in found if is_litter(file.name))]
    found = [file for file in found if not is_litter(file.name)]
    return Changes(
        files=_sorted(file for file in found if isinstance(file, SourceFile)),
        unusable=[file for file in found if isinstance(file, Unusable)],
        removed=removed,
        cursor=cursor.model_dump_json(),
        complete=complete,
    )
