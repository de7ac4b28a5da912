"""Items as DynamoDB writes them, and archives in the layout of its exports to S3."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import zipfile
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Line = dict[str, Any]

_FOLDER = "AWSDynamoDB/01720000000000-a1b2c3d4"
_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/{table}"


def tagged(value: Any) -> dict[str, Any]:
    """A value with its type: numbers as text, sets of text as ``SS``. What is tagged already stays."""
    if isinstance(value, Tagged):
        return dict(value)
    if isinstance(value, dict):
        return {"M": {name: tagged(one) for name, one in value.items()}}
    if isinstance(value, list):
        return {"L": [tagged(one) for one in value]}
    plain = {bool: ("BOOL", value), str: ("S", value), type(None): ("NULL", True), set: ("SS", None)}
    kind, inner = plain.get(type(value), ("N", str(value)))
    return {kind: sorted(value) if kind == "SS" else inner}


class Tagged(dict[str, Any]):
    """A value that is written as it is: ``Tagged(N="5.0")``."""


def put(item: Mapping[str, Any], written: datetime | None = None) -> Line:
    """A line of an item: of a whole export, or of a window, with when it was written."""
    image = {name: tagged(value) for name, value in item.items()}
    return {"Item": image} if written is None else {**_metadata(item, written), "NewImage": image}


def deleted(key: Mapping[str, Any], written: datetime) -> Line:
    """A line of a window that an item was deleted."""
    return _metadata(key, written)


def _metadata(item: Mapping[str, Any], written: datetime) -> Line:
    micros = round(written.timestamp() * 1_000_000)
    name = "treatment_id_partition_key"
    return {"Metadata": {"WriteTimestampMicros": {"N": f"{micros}"}}, "Keys": {name: tagged(item[name])}}


def ndjson(lines: Iterable[Line | str]) -> bytes:
    """Lines, each ended; what is text is written as it is."""
    return "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines).encode()


def scan(at: datetime, *, since: datetime | None = None, table: str = "treatments", **more: Any) -> dict[str, Any]:
    """What the summary of a scan says that we have made: of a window, ``since`` when."""
    own = {"mode": "scan", "table": table, "from": since and _iso(since), "overlap_seconds": 600}
    return {"tableArn": _ARN.format(table=table), "exportTime": _iso(at), "nh": {**own, "started_at": _iso(at), **more}}


def native(at: datetime, *, since: datetime | None = None, table: str = "treatments") -> dict[str, Any]:
    """What the summary of DynamoDB's own export says: of a window, ``since`` when."""
    if since is None:
        return {"tableArn": _ARN.format(table=table), "exportType": "FULL_EXPORT", "exportTime": _iso(at)}
    window = {"exportType": "INCREMENTAL_EXPORT", "exportFromTime": _iso(since), "exportToTime": _iso(at)}
    return {"tableArn": _ARN.format(table=table), **window, "outputView": "NEW_IMAGE"}


def archive(summary: Mapping[str, Any], *files: Sequence[Line | str], folder: str = _FOLDER) -> bytes:
    """An export as one archive, with a data file for each sequence of lines; equal arguments, equal bytes."""
    data = {
        f"{folder}/data/{n:06d}.json.gz": gzip.compress(ndjson(lines), compresslevel=4, mtime=0)
        for n, lines in enumerate(files)
    }
    listed = [
        {
            "itemCount": len(lines),
            "md5Checksum": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
            "etag": f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}-1",
            "dataFileS3Key": name,
        }
        for (name, content), lines in zip(data.items(), files, strict=True)
    ]
    told = {
        "version": "2023-08-01",
        "exportArn": f"{summary.get('tableArn', '')}/export/{folder.rpartition('/')[2]}",
        "s3Bucket": "exports",
        "s3Prefix": None,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": sum(map(len, files)),
        "outputFormat": "DYNAMODB_JSON",
        **summary,
    }
    members = {
        f"{folder}/_started": b"",
        f"{folder}/manifest-summary.json": json.dumps(told).encode(),
        f"{folder}/manifest-files.json": ndjson(listed),
        **data,
    }
    return zipped(members)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """An archive of files by their paths; equal files, equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def _iso(at: datetime) -> str:
    return f"{at.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%S.%fZ}"
