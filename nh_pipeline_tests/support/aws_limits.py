"""What AWS refuses and moto takes: other regions, what exceeds Glue's limits, versions that are not current."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moto.backends import get_backend

from nh_pipeline_tests.support.aws_calls import AwsError

if TYPE_CHECKING:
    from nh_pipeline_tests.support.aws_calls import Call

_SINGLE_LINE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


def check(call: Call) -> None:
    """What AWS refuses and moto takes."""
    if call.service == "s3" and call.params["Bucket"] and call.action != "CreateBucket":
        _check_region(call)
    if call.name in ("glue:CreateTable", "glue:UpdateTable"):
        _check_table(call.params["TableInput"])
    if call.name == "glue:CreateDatabase":
        _check_name(call.params["DatabaseInput"]["Name"])


def _check_region(call: Call) -> None:
    for partitions in list(get_backend("s3").values()):
        bucket = partitions["aws"].buckets.get(call.params["Bucket"])
        if bucket is not None and bucket.region_name != call.region:
            raise AwsError(
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified endpoint. Please send "
                "all future requests to this endpoint.",
                301,
                [("x-amz-bucket-region", bucket.region_name)],
            )


def _check_name(name: str) -> None:
    if not 0 < len(name) <= 255 or not _SINGLE_LINE.fullmatch(name):
        raise AwsError("InvalidInputException", f"Not a name that Glue takes: {name!r}")


def _check_table(table: dict[str, Any]) -> None:
    """The limits of https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html and API_Column.html."""
    _check_name(table["Name"])
    for column in table.get("StorageDescriptor", {}).get("Columns", []):
        _check_name(column["Name"])
        comment = column.get("Comment", "")
        if len(comment.encode()) > 255 or not _SINGLE_LINE.fullmatch(comment):
            raise _invalid(f"comment of {column['Name']}", comment, "one line of at most 255 bytes")
        if len(column.get("Type", "")) > 131_072:
            raise _invalid(f"type of {column['Name']}", column["Type"], "at most 131072")
    for name, value in table.get("Parameters", {}).items():
        if not 0 < len(name.encode()) <= 255:
            raise _invalid("parameter", name, "a name of at most 255 bytes")
        if len(value.encode()) > 512_000:
            raise _invalid(name, value, "at most 512000 bytes")


def _invalid(what: str, found: str, expected: str) -> AwsError:
    return AwsError("ValidationException", f"1 validation error detected: Value '{found[:300]}' at {what} failed to "
                    f"satisfy constraint: {expected}")  # fmt: skip


def check_version(call: Call) -> None:
    """Optimistic locking: a table is only replaced if it is of the version that the caller has seen."""
    seen = call.params.get("VersionId")
    if call.action != "UpdateTable" or seen is None:
        return
    databases = get_backend("glue")[call.account][call.region].databases
    database = databases.get(call.params["DatabaseName"])
    table = database and database.tables.get(call.params["TableInput"]["Name"])
    if table and table.as_dict()["VersionId"] != seen:
        raise AwsError("ConcurrentModificationException", "Update table failed due to concurrent modifications.")
