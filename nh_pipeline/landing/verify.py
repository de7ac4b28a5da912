"""Whether what was delivered is kept as it came: each document's bytes, by size and digest."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from nh_pipeline.lake.documents import parsed
from nh_pipeline.lake.verify import Looking, Verified
from nh_pipeline.landing.manifest import Archive, Delivery, Manifest, Quarantined
from nh_pipeline.sources.protocol import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.manifest import Received

RAW, QUARANTINE = "raw zone", "quarantine"

_PRECIOUS = "restore the folder from a backup; or move it out of the lake, and land the file again from its source"


def verified(
    storage: Storage, *, quick: bool = False, seen: Callable[[str], object] = lambda _: None
) -> tuple[Verified, Verified]:
    """Looks at all that has landed, and at the quarantine.

    Args:
        storage: Of the lake.
        quick: Presence and sizes alone; else all bytes are read for their sha256.
        seen: Is told the name of each delivery before it is read.

    Returns:
        What was found in either.
    """
    raw, quarantine = Looking(RAW), Looking(QUARANTINE)
    for look, folder, name in ((raw, "raw", "manifest.json"), (quarantine, "quarantine", "reason.json")):
        look.present = {path: size for path, (_, size) in storage.stamps(folder).items()}
        for path in (path for path in look.present if path.endswith(f"/{name}")):
            look.named.add(path)
            kind = Manifest if look is raw else Quarantined
            document = look.read(path, partial(_document, storage, path, kind), "a document", _PRECIOUS)
            if isinstance(document, Manifest):
                file = Delivery(manifest=document, path=path.rpartition("/")[0]).file
            elif isinstance(document, Quarantined):
                file = document.file
            else:
                continue
            seen(document.name)
            _delivery(storage, look, file, document, path, quick=quick)
    for path in (path for path in raw.present if path.startswith("raw/.archives/")):
        raw.named.add(path)
        raw.read(path, partial(_document, storage, path, Archive), "a document", _PRECIOUS)
    return raw.done(), quarantine.done()


def landed(storage: Storage) -> frozenset[str]:
    """Ids of what has landed by now, by the names of their folders."""
    return frozenset(path.split("/")[-2].rpartition("-")[2] for path in storage.files("raw", suffix="/manifest.json"))


def _document(storage: Storage, path: str, kind: type[Received]) -> Received | None:
    """A document; None if it was taken away since it was listed, as what is admitted is from the quarantine."""
    if not storage.exists(path):
        return None
    return parsed(storage, path, storage.read(path), kind.model_validate_json)


def _delivery(storage: Storage, look: Looking, file: str, document: Received, path: str, *, quick: bool) -> None:
    told = f"the bytes of {document.name!r}"
    before = len(look.faults)
    if file not in look.present:  # it landed while the zone was listed
        look.present |= {p: size for p, (_, size) in storage.stamps(file.rpartition("/")[0]).items()}
    if look.is_there(file, document.size, told, _PRECIOUS) and not quick:
        digest = look.read(file, partial(_sha256, storage, file), told, _PRECIOUS)
        if digest not in (None, document.sha256):
            look.fault(file, f"{told}, with the sha256 {document.sha256}", str(digest), _PRECIOUS)
    if not storage.exists(path):  # taken away meanwhile, with all that it speaks of
        del look.faults[before:]


def _sha256(storage: Storage, file: str) -> str:
    digest = hashlib.sha256()
    with storage.open(file) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
