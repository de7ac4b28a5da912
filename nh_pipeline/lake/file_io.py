"""PyIceberg's files on S3, through the client that the rest of the lake uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.io.pyarrow import PyArrowFileIO

from nh_pipeline.lake import s3

if TYPE_CHECKING:
    import pyarrow.fs as pafs
    from pyiceberg.typedef import Properties


class S3FileIO(PyArrowFileIO):
    """Asks for the client with every file: PyIceberg would keep one for as long as a table is known."""

    def __init__(self, properties: Properties) -> None:
        super().__init__(properties)
        self.fs_by_scheme = self._initialize_fs

    def _initialize_s3_fs(self, netloc: str | None) -> pafs.FileSystem:  # noqa: ARG002 (buckets share a client)
        return s3.filesystem()


def properties() -> dict[str, str]:
    """What a catalog is told."""
    return {"client.region": s3.region(), "py-io-impl": f"{S3FileIO.__module__}.{S3FileIO.__qualname__}"}
