"""A Google Drive for tests: a model of files, folders and changes, and an HTTP server on loopback that speaks its API.

It speaks what the product uses, as Google does: ``changes`` (start token, list), ``files`` (list, get, media with
ranges, export) and the token endpoint. It answers with the fields that were asked for and no others, takes only
addresses that it knows, and signs nobody in who has no valid key. Faults are scripted per kind of request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

FOLDER = "application/vnd.google-apps.folder"
SHEET = "application/vnd.google-apps.spreadsheet"
SHORTCUT = "application/vnd.google-apps.shortcut"
DOCUMENT = "application/vnd.google-apps.document"
EXPORT_LIMIT = 10 << 20
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
SECRET = "known-secret-5f2c"  # noqa: S105 - in every credential and token, so that a leak can be looked for
_QUERY = re.compile(r"\(('[\w-]+' in parents(?: or '[\w-]+' in parents)*)\) and trashed = false")
_MESSAGES = {403: "Forbidden", 404: "File not found", 416: "LastRequest range not satisfiable"}


class Generated:
    """A large content that is made where it is read: a header, then one block again and again."""

    def __init__(self, header: bytes, block: bytes, blocks: int) -> None:
        self.header, self.block, self.size = header, block, len(header) + blocks * len(block)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        head = self.header[start:stop]
        start = max(start - len(self.header), 0)
        length = max(stop - len(self.header) - start, 0)
        first = start % len(self.block)
        return head + (self.block * (length // len(self.block) + 2))[first : first + length]

    @cached_property
    def md5(self) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        for start in range(0, self.size, 1 << 20):
            digest.update(self[start : start + (1 << 20)])
        return digest.hexdigest()


Content = bytes | Generated


@dataclass
class Item:
    id: str
    name: str
    kind: str
    parents: list[str]
    modified: datetime
    content: Content = b""
    trashed: bool = False
    drive: str | None = None
    can_download: bool = True
    shown: dict[str, Any] = field(default_factory=dict)  # what is told instead of the truth

    def resource(self, *, trashed: bool) -> dict[str, Any]:
        told = {
            "kind": "drive#file",
            "id": self.id,
            "name": self.name,
            "mimeType": self.kind,
            "parents": self.parents,
            "modifiedTime": f"{self.modified:%Y-%m-%dT%H:%M:%S}.{self.modified.microsecond // 1000:03d}Z",
            "trashed": trashed,
            "capabilities": {"canDownload": self.can_download, "canEdit": False},
        }
        if self.drive:
            told["driveId"] = self.drive
        if not self.kind.startswith("application/vnd.google-apps."):
            md5 = self.content.md5 if isinstance(self.content, Generated) else _md5(self.content)
            told |= {"md5Checksum": md5, "size": str(len(self.content))}
        if self.kind == SHORTCUT:
            told["shortcutDetails"] = {"targetId": "elsewhere", "targetMimeType": "text/csv"}
        return {**told, **self.shown}


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Fault:
    """A status with Google's reason, a body of which ``cut`` bytes arrive, or one with a flipped bit."""

    status: int = 0
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    flip: bool = False


CUT = Fault(cut=1000)
BUSY = Fault(503, "backendError")
LIMITED = Fault(403, "userRateLimitExceeded")


class Refusal(Exception):  # noqa: N818 - an answer of the API
    def __init__(self, status: int, reason: str, message: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers
        self.message = message or _MESSAGES.get(status, reason)


class Drive:
    """What is in Drive, who may see it, and what has changed. Every method that changes something is one event."""

    def __init__(self, root: str = "root-folder", *, shared_drive: str | None = None) -> None:
        self.root, self.shared_drive = root, shared_drive
        self.items: dict[str, Item] = {}
        self.log: list[str] = []  # ids in order of their changes; a page token is a position in it, plus one
        self.faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.oldest_token = 1
        self.revoked = self.away = False
        self.tokens: set[str] = set()
        self.lock = threading.RLock()
        self._ids = 0
        self._clock = datetime(2024, 11, 1, 12, tzinfo=timezone.utc)
        self._key = _key()
        self._add(Item(root, "Deliveries", FOLDER, ["not-visible"], self._clock, drive=shared_drive))

    # Events

    def add(
        self, content: Content = b"", name: str = "file.csv", *, parent: str = "", kind: str = "text/csv", **more: Any
    ) -> str:
        with self.lock:
            self._ids += 1
            made = f"file_{self._ids:04d}-{kind.rpartition('.')[2][:6].replace('/', '')}".ljust(33, "x")
            modified = more.pop("modified", None) or self._now()
            item = Item(
                made, name, kind, [parent or self.root], modified, content=content, drive=self.shared_drive, **more
            )
            self._add(item)
            return made

    def folder(self, name: str = "sub", *, parent: str = "") -> str:
        return self.add(name=name, parent=parent, kind=FOLDER)

    def outside(self, *, visible: bool) -> str:
        """A folder beside the watched one, shared with the same account or not."""
        with self.lock:
            self._ids += 1
            made = f"outside-{self._ids}" + ("-visible" if visible else "")
            self.items[made] = Item(made, "Elsewhere", FOLDER, [], self._now(), drive=self.shared_drive)
            return made

    def change(self, file_id: str, content: Content, *, modified: datetime | None = None) -> None:
        self._edit(file_id, content=content, modified=modified or self._now())

    def touch(self, file_id: str) -> None:
        self._edit(file_id, modified=self._now())

    def rename(self, file_id: str, name: str) -> None:
        self._edit(file_id, name=name)

    def move(self, file_id: str, parent: str) -> None:
        self._edit(file_id, parents=[parent])

    def trash(self, file_id: str, *, trashed: bool = True) -> None:
        self._edit(file_id, trashed=trashed)

    def show(self, file_id: str, **fields: Any) -> None:
        """Tells something else than what is the case: an md5 that the bytes do not have."""
        self._edit(file_id, shown=fields)

    def remove(self, file_id: str) -> None:
        with self.lock:
            del self.items[file_id]
            self.log.append(file_id)

    def forget_old_tokens(self) -> None:
        self.oldest_token = len(self.log) + 1

    def script(self, kind: str, *faults: Fault | None) -> None:
        """What the next requests of a kind are answered with; None for the truth."""
        with self.lock:
            self.faults[kind].extend(faults)

    def asked(self) -> Counter[str]:
        with self.lock:
            return Counter(kind for kind, _ in self.requests)

    def _add(self, item: Item) -> None:
        with self.lock:
            self.items[item.id] = item
            self.log.append(item.id)

    def _edit(self, file_id: str, **fields: Any) -> None:
        with self.lock:
            for name, value in fields.items():
                setattr(self.items[file_id], name, value)
            self.log.append(file_id)

    def _now(self) -> datetime:
        self._clock += timedelta(minutes=1)
        return self._clock

    # Credentials

    def credentials(self, path: Path, url: str) -> str:
        """Writes the key of a service account that this Drive knows."""
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key = {
            "type": "service_account",
            "project_id": "nh",
            "private_key_id": f"{SECRET}-key-id",
            "private_key": private.decode(),
            "client_email": "nh@nh.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{url}/token",
        }
        path.write_text(json.dumps(key))
        return str(path)

    def person(self, path: Path, url: str) -> str:
        """Writes what a person's consent gives."""
        token = {
            "client_id": "client",
            "client_secret": f"{SECRET}-client",
            "refresh_token": f"{SECRET}-refresh",
            "token_uri": f"{url}/token",
        }
        path.write_text(json.dumps(token))
        return str(path)

    def sign_in(self, form: dict[str, str]) -> dict[str, Any]:
        if self.revoked or not self._known(form):
            raise Refusal(400, "invalid_grant")
        token = f"ya29.{SECRET}-{len(self.tokens)}"
        self.tokens.add(token)
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def _known(self, form: dict[str, str]) -> bool:
        if form["grant_type"] == "refresh_token":
            return form["refresh_token"] == f"{SECRET}-refresh" and form["client_secret"] == f"{SECRET}-client"
        signed, _, signature = form["assertion"].rpartition(".")
        try:
            self._key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return bool(json.loads(_decoded(signed.partition(".")[2]))["scope"] == SCOPE)

    # The API

    def answer(self, path: str, query: dict[str, str], reach: str | None) -> tuple[str, Any]:
        """The kind of a request, and what it is answered with: a JSON object, or bytes with their range."""
        with self.lock:
            if path == "changes/startPageToken":
                if query.get("driveId") != self.shared_drive:
                    raise Refusal(404, "notFound", "Shared drive not found")
                return "token", {"kind": "drive#startPageToken", "startPageToken": str(len(self.log) + 1)}
            if path == "changes":
                return "changes", self._changes(query)
            if path == "files":
                return "list", self._list(query)
            item = self._visible(path.split("/")[1])
            if path.endswith("/export"):
                return "export", self._export(item)
            if query.get("alt") == "media":
                return "media", self._media(item, reach)
            return "get", _only(query["fields"], item.resource(trashed=self._trashed(item)))

    @staticmethod
    def kind(path: str, query: dict[str, str]) -> str:
        if path.startswith("changes"):
            return "token" if path.endswith("startPageToken") else "changes"
        if path == "files":
            return "list"
        return "export" if path.endswith("/export") else "media" if query.get("alt") == "media" else "get"

    def _changes(self, query: dict[str, str]) -> dict[str, Any]:
        self._of_the_drive(query)
        if not query["pageToken"].isdigit():
            raise Refusal(400, "invalid", "Invalid Value")
        start, size = int(query["pageToken"]), int(query.get("pageSize", "100"))
        if not self.oldest_token <= start <= len(self.log) + 1:
            raise Refusal(410 if start < self.oldest_token else 404, "notFound", "Page token not found")
        last = {file_id: position for position, file_id in enumerate(self.log, start=1)}  # only a file's last change
        positions = sorted(position for position in last.values() if position >= start)
        page = positions[:size]
        told: dict[str, Any] = {"kind": "drive#changeList", "changes": [self._change(self.log[p - 1]) for p in page]}
        if len(positions) > size:
            told["nextPageToken"] = str(page[-1] + 1)
        else:
            told["newStartPageToken"] = str(len(self.log) + 1)
        return _only(query["fields"], told)

    def _change(self, file_id: str) -> dict[str, Any]:
        item = self.items.get(file_id)
        told = {"kind": "drive#change", "type": "file", "changeType": "file", "fileId": file_id, "removed": False}
        if item is None or not self._seen(item):
            return {**told, "removed": True}
        return {**told, "file": item.resource(trashed=self._trashed(item))}

    def _list(self, query: dict[str, str]) -> dict[str, Any]:
        self._of_the_drive(query)
        match = _QUERY.fullmatch(query["q"])
        if match is None:
            raise Refusal(400, "invalid", f"Invalid query {query['q']}")
        parents = set(re.findall(r"'([\w-]+)'", match[1]))
        for parent in parents:
            self._visible(parent)
        items = [i for i in self.items.values() if parents & set(i.parents) and not self._trashed(i)]
        token = query.get("pageToken", "list:0")
        if not token.startswith("list:"):
            raise Refusal(400, "invalid", "Invalid Value")
        start, size = int(token.partition(":")[2]), int(query.get("pageSize", "100"))
        told: dict[str, Any] = {
            "kind": "drive#fileList",
            "incompleteSearch": False,
            "files": [i.resource(trashed=False) for i in items[start : start + size]],
        }
        if len(items) > start + size:
            told["nextPageToken"] = f"list:{start + size}"
        return _only(query["fields"], told)

    def _of_the_drive(self, query: dict[str, str]) -> None:
        """Without these a listing of a shared drive is empty or refused."""
        if self.shared_drive and query.get("driveId") != self.shared_drive:
            raise Refusal(404, "notFound", "Shared drive not found")
        if query.get("supportsAllDrives") != "true" or query.get("includeItemsFromAllDrives") != "true":
            raise Refusal(403, "teamDrivesParameterRequired")

    def _media(self, item: Item, reach: str | None) -> tuple[bytes, str]:
        if item.kind.startswith("application/vnd.google-apps."):
            raise Refusal(403, "fileNotDownloadable", "Only files with binary content can be downloaded.")
        if not item.can_download:
            raise Refusal(403, "cannotDownloadFile", "This file cannot be downloaded by the user.")
        size = len(item.content)
        if reach is None:
            return item.content[:size], ""
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", reach)
        assert match, reach
        start, end = int(match[1]), min(int(match[2]), size - 1)
        if start >= size:
            raise Refusal(416, "requestedRangeNotSatisfiable", headers=(("Content-Range", f"bytes */{size}"),))
        return item.content[start : end + 1], f"bytes {start}-{end}/{size}"

    def _export(self, item: Item) -> tuple[bytes, str]:
        if item.kind != SHEET:
            raise Refusal(403, "fileNotExportable", "Export only supports Docs Editors files.")
        if len(item.content) > EXPORT_LIMIT:
            raise Refusal(403, "exportSizeLimitExceeded", "This file is too large to be exported.")
        return item.content[:], ""

    def _visible(self, file_id: str) -> Item:
        item = self.items.get(file_id)
        if item is None or not self._seen(item):
            raise Refusal(404, "notFound", f"File not found: {file_id}.")
        return item

    def _above(self, item: Item) -> list[Item]:
        """The item, its folder, that one's folder, ..."""
        chain: list[Item] = []
        while item is not None and item not in chain:
            chain.append(item)
            item = next((self.items[p] for p in item.parents if p in self.items), None)  # type: ignore[assignment]
        return chain

    def _seen(self, item: Item) -> bool:
        return any(i.id == self.root or i.id.endswith("-visible") for i in self._above(item))

    def _trashed(self, item: Item) -> bool:
        return any(i.trashed for i in self._above(item))


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _only(fields: str, told: Any) -> Any:
    """A partial response: ``a,b(c,d)``."""
    if isinstance(told, list):
        return [_only(fields, entry) for entry in told]
    wanted = {}
    for name, inner in re.findall(r"(\w+)(?:\(((?:[^()]|\([^()]*\))*)\))?", fields):
        if name in told:
            wanted[name] = _only(inner, told[name]) if inner else told[name]
    return wanted


class DriveServer(ThreadingHTTPServer):
    """Serves a :class:`Drive` on a free port of loopback, as a context manager."""

    daemon_threads = True

    def __init__(self, drive: Drive) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.drive = drive
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.endpoint = f"{self.url}/drive/v3/"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of the server's business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: DriveServer

    def do_GET(self) -> None:
        drive, split = self.server.drive, urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        path = split.path.removeprefix("/drive/v3/")
        kind = drive.kind(path, query)
        with drive.lock:
            drive.requests.append((kind, {**query, "path": path, "range": self.headers.get("range", "")}))
            fault = drive.faults[kind].popleft() if drive.faults[kind] else None
        if drive.away:
            fault = BUSY
        try:
            token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
            if token not in drive.tokens:
                raise Refusal(401, "authError", "Invalid Credentials")  # noqa: TRY301
            if fault is not None and fault.status:
                raise Refusal(fault.status, fault.reason, headers=fault.headers)  # noqa: TRY301
            _, told = drive.answer(path, query, self.headers.get("range"))
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if isinstance(told, dict):
            self._send(200, json.dumps(told).encode(), fault)
        else:
            content, reach = told
            headers = (("Content-Range", reach),) if reach else ()
            self._send(206 if reach else 200, content, fault, headers, "text/csv")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {key: values[0] for key, values in parse_qs(body).items()}
        assert self.path == "/token", self.path
        try:
            self._send(200, json.dumps(self.server.drive.sign_in(form)).encode())
        except Refusal as refusal:
            told = {"error": refusal.reason, "error_description": f"Bad Request {SECRET}"}
            self._send(refusal.status, json.dumps(told).encode())

    def _refuse(self, refusal: Refusal) -> None:
        entry = {"domain": "global", "reason": refusal.reason, "message": refusal.message}
        told = {"error": {"errors": [entry], "code": refusal.status, "message": refusal.message}}
        self._send(refusal.status, json.dumps(told).encode(), None, refusal.headers)

    def _send(
        self,
        status: int,
        body: bytes,
        fault: Fault | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        kind: str = "application/json; charset=UTF-8",
    ) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Type", kind), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        if fault is not None and fault.flip:
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault is not None and fault.cut is not None:
            self.wfile.write(body[: fault.cut])
            self.close_connection = True
            return
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the requests are in :attr:`Drive.requests`."""
