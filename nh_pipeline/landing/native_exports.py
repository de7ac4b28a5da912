"""Exports to S3 that AWS itself made of a DynamoDB table: each folder lands as one delivery, as it is.

What belongs here: finding the folders, and the files that their manifests name. Not here: whether the files hold what
the manifests say, which landing compares whoever made a delivery.

    AWSDynamoDB/<export id>/manifest-summary.json, manifest-files.json    written last, when an export is complete
    AWSDynamoDB/<export id>/data/<name>.json.gz                           of a full export
    AWSDynamoDB/data/<name>.json.gz                                       of an incremental one
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import msgspec

from nh_pipeline.errors import translate_infrastructure_errors
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing.handing_over import hand_over, workplace
from nh_pipeline.sources.dynamodb_export import FILES, SUMMARY, ExportZip
from nh_pipeline.sources.protocol import SourceMissing, SourceUnavailable

if TYPE_CHECKING:
    from nh_pipeline.landing.keeping import Landed
    from nh_pipeline.landing.zone import RawZone

_UNSAID = datetime(1980, 1, 1, tzinfo=timezone.utc)  # the first day of a zip: landing refuses the export
_Document = TypeVar("_Document")


class _Summary(msgspec.Struct):
    manifestFilesS3Key: str  # noqa: N815 - AWS's names
    exportTime: datetime | None = None  # noqa: N815
    exportToTime: datetime | None = None  # noqa: N815

    @property
    def at(self) -> datetime:
        """As of when the export is."""
        return self.exportTime or self.exportToTime or _UNSAID


class _DataFile(msgspec.Struct):
    dataFileS3Key: str  # noqa: N815


@translate_infrastructure_errors()
def land_exports(zone: RawZone, address: str) -> list[Landed]:
    """Lands all exports below an address, each once: the same folder again is known.

    Args:
        zone: Where to.
        address: A folder of this machine, or ``s3://bucket/prefix``.

    Returns:
        What became of each, sorted by path.

    Raises:
        SourceUnavailable: There is none, or one of them is not complete. Those before it have landed.
        LandingError: One of them could not be landed. Those before it have landed.
    """
    place = Storage(address)
    summaries = [path for path in place.files() if posixpath.basename(path) == SUMMARY]
    if not summaries:
        raise SourceMissing(
            f"{address} has no export of DynamoDB: expected a folder with {SUMMARY}, which AWS writes when an "
            "export is complete. Wait for it, or correct the address."
        )
    return [_landed(zone, _Export(place, posixpath.dirname(path))) for path in summaries]


def _landed(zone: RawZone, export: _Export) -> Landed:
    summary = export.summary
    with workplace(zone.storage) as folder:
        path = folder / f"dynamodb-export-{export.name}.zip"
        with path.open("wb") as out:
            export.write(out, summary)
        return hand_over(zone, path, summary.at)


@dataclass(frozen=True)
class _Export:
    """One export.

    Attributes:
        place: Where it is.
        folder: Of its manifests.
    """

    place: Storage
    folder: str

    @property
    def name(self) -> str:
        """The export's id, which is the name of its folder."""
        full = self.place.path(self.folder).rstrip("/")
        return re.sub(r"[^A-Za-z0-9._-]", "_", posixpath.basename(full))[:150]

    @property
    def summary(self) -> _Summary:
        return self._decoded(SUMMARY, self._read(SUMMARY), _Summary)

    def write(self, out: BinaryIO, summary: _Summary) -> None:
        """Writes it as one zip; data files by their base names, which are unique."""
        listed = self._read(FILES)
        with ExportZip(out, summary.at) as export:
            for line in filter(bytes.strip, listed.splitlines()):
                key = self._decoded(FILES, line, _DataFile).dataFileS3Key
                # Where it is from the manifests, which were moved or copied with it.
                path = posixpath.relpath(key, posixpath.dirname(summary.manifestFilesS3Key))
                with self._open(path) as content:
                    export.add(f"data/{posixpath.basename(key)}", content)
            export.write(FILES, listed)
            export.write(SUMMARY, self._read(SUMMARY))

    def _read(self, name: str) -> bytes:
        with self._open(name) as stream:
            return bytes(stream.read())

    def _open(self, name: str) -> Any:
        path = posixpath.normpath(posixpath.join(self.place.path(self.folder), name))
        try:
            return self.place.fs.open_input_stream(path, compression=None)
        except FileNotFoundError as error:
            raise SourceUnavailable(
                f"The export in {self.place.uri(self.folder)} is not complete: {path} is not there. Copy all that AWS "
                "has written, with its folders. Nothing of it has landed."
            ) from error

    def _decoded(self, name: str, content: bytes, kind: type[_Document]) -> _Document:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            raise SourceUnavailable(
                f"{self.place.uri(self.folder)}/{name} is no manifest of DynamoDB's exports: {error}. Copy it again. "
                "Nothing of the export has landed."
            ) from error
