"""Items of a DynamoDB table, exactly as it sends them: all, or those that were modified since an instant.

What belongs here: asking the table or an index of it, page by page, and failures in plain words. Not here: what the
pages become (:mod:`.dynamodb_export`), and from which instant on is asked (:mod:`nh_pipeline.landing.extraction`).

A request that is throttled, or whose answer gets lost, is sent again after a random, growing wait; after some tries the
reading fails as a whole. Credentials, and an address that is not AWS's, come from AWS's own configuration.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoRegionError
from botocore.exceptions import ConnectionError as NoConnectionError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from nh_pipeline.errors import explain
from nh_pipeline.sources.dynamodb_items import TOP, as_number, as_text, bounds, filtering
from nh_pipeline.sources.protocol import SourceBusy, SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tenacity.wait import wait_base

Mode = Literal["scan", "query"]

MOST_TRIES = 8
"""How often one request is sent at most."""

LONGEST_WAIT = 20.0
"""Seconds between two tries at most."""

_PASSING = {
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}
_DENIED = {"AccessDenied", "AccessDeniedException"}


class _Page(msgspec.Struct):
    Items: list[msgspec.Raw] = []
    LastEvaluatedKey: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(frozen=True)
class Request:
    """A part of what is to be read, which is read page by page.

    Attributes:
        operation: ``scan`` or ``query``.
        parameters: Of the operation.
    """

    operation: Mode
    parameters: dict[str, Any] = field(repr=False)


class Table:
    """A table, and maybe an index of it.

    Args:
        name: Of the table.
        region: Of the table, if it is not the one of AWS's own configuration.
        index: Of the table, by the time of modification: for :meth:`query`.
        shards: How many values the index's hash key has: 0, 1, …
        segments: In how many parts, at once, the table is scanned.
        wait: How long to wait before a request is sent again.
        client: boto3's, for this table alone, instead of one of AWS's own configuration.
    """

    def __init__(
        self,
        name: str,
        *,
        region: str = "",
        index: str = "",
        shards: int = 1,
        segments: int = 1,
        wait: wait_base | None = None,
        client: Any = None,
    ) -> None:
        self.name, self.index, self.shards, self.segments = name, index, shards, segments
        self._retrying = Retrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_attempt(MOST_TRIES),
            wait=wait or wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT),
            reraise=True,
        )
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=max(segments, 10))
        with self._told("ask"):
            self._client = client or boto3.client(
                "dynamodb", region_name=region or os.environ.get("AWS_REGION") or None, config=config
            )
        for operation in ("Scan", "Query"):
            self._client.meta.events.register(f"before-parse.dynamodb.{operation}", _as_sent)

    def described(self) -> dict[str, Any]:
        """What DynamoDB says of the table (``DescribeTable``)."""
        with self._told("dynamodb:DescribeTable"):
            found: dict[str, Any] = self._retrying(self._client.describe_table, TableName=self.name)["Table"]
            return found

    def recoverable(self) -> bool:
        """Whether it can be exported as of a point in time (``DescribeContinuousBackups``)."""
        with self._told("dynamodb:DescribeContinuousBackups"):
            found = self._retrying(self._client.describe_continuous_backups, TableName=self.name)
        point = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        return bool(point.get("PointInTimeRecoveryStatus") == "ENABLED")

    def scan(self, since: datetime | None) -> list[Request]:
        """What reads the whole table, consistently: all items, or those that may have been modified since then.

        The filter spares transfer; DynamoDB reads, and charges for, the whole table.
        """
        parameters: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True}
        if since is not None:
            parameters |= filtering(since)
        parts = [{"Segment": n, "TotalSegments": self.segments} for n in range(self.segments)]
        return [Request("scan", {**parameters, **part}) for part in parts]

    def query(self, since: datetime, described: dict[str, Any]) -> list[Request]:
        """What reads those items of the index that may have been modified since then.

        An index follows its table a little later, and has no items without its keys.

        Raises:
            SourceUnavailable: There is no such index, or it is none by time of modification with all attributes.
        """
        shard, kinds = self._hash_key(described)
        found, conditions = bounds(since), (as_text if kinds[TOP] == "S" else as_number)("#modified_at")
        requests = []
        for number in range(self.shards):
            for condition in conditions:
                values = {name: value for name, value in found.items() if name in condition.split()}
                parameters = {
                    "TableName": self.name,
                    "IndexName": self.index,
                    "KeyConditionExpression": f"#shard = :shard AND {condition}",
                    "ExpressionAttributeNames": {"#shard": shard, "#modified_at": TOP},
                    "ExpressionAttributeValues": {**values, ":shard": {kinds[shard]: str(number)}},
                }
                requests.append(Request("query", parameters))
        return requests

    def _hash_key(self, described: dict[str, Any]) -> tuple[str, dict[str, str]]:
        """The index's hash key, and the kinds of all keys."""
        indexes = [*described.get("GlobalSecondaryIndexes", ()), *described.get("LocalSecondaryIndexes", ())]
        index = next((i for i in indexes if i["IndexName"] == self.index), None)
        if index is None:
            names = ", ".join(i["IndexName"] for i in indexes) or "none"
            raise SourceUnavailable(
                f"{self.name} has no index {self.index!r}, found {names}. Name it in NH_TREATMENTS_INDEX, or read the "
                "whole table with NH_TREATMENTS_MODE=scan."
            )
        keys = {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]}
        projected = index["Projection"].get("ProjectionType")
        status = index.get("IndexStatus", "ACTIVE")
        if keys.get("RANGE") != TOP or projected != "ALL" or status != "ACTIVE":
            raise SourceUnavailable(
                f"the index {self.index} of {self.name} is sorted by {keys.get('RANGE')}, projects {projected}, and is "
                f"{status}: expected {TOP}, ALL and ACTIVE. Make one like that, or read the whole table with "
                "NH_TREATMENTS_MODE=scan."
            )
        return keys["HASH"], {d["AttributeName"]: d["AttributeType"] for d in described["AttributeDefinitions"]}

    def pages(self, request: Request) -> Iterator[list[msgspec.Raw]]:
        """All pages of a part, to its end: one may be empty, and others follow. Items are JSON as DynamoDB sent it.

        Raises:
            SourceUnavailable: DynamoDB does not answer, or denies it.
        """
        start: dict[str, Any] = {}
        while True:
            answer = self._ask(request, **start)
            yield answer["AsSent"]
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def try_out(self, request: Request) -> None:
        """Asks for one item of a part: whether it may be read.

        Raises:
            SourceUnavailable: It may not.
        """
        self._ask(request, Limit=1)

    def _ask(self, request: Request, **more: Any) -> dict[str, Any]:
        with self._told(f"dynamodb:{request.operation.title()}"):
            answer: dict[str, Any] = self._retrying(
                getattr(self._client, request.operation), **request.parameters, **more
            )
            return answer

    @contextmanager
    def _told(self, permission: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            self._fail(permission, error)

    def _fail(self, permission: str, error: ClientError | BotoCoreError) -> NoReturn:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        if code == "ResourceNotFoundException":
            told = f"there is no table {self.name}. Correct NH_TREATMENTS_TABLE, NH_TREATMENTS_REGION or the account"
        elif code in _DENIED:
            told = f"{permission} on {self.name} is denied. Give this user or role the permission"
        elif isinstance(error, NoRegionError):
            told = "no region is set. Set NH_TREATMENTS_REGION, or AWS_REGION"
        elif _passes(error):
            told = f"{self.name} did not answer {MOST_TRIES} times ({code or error}). Wait, or raise its capacity"
        else:
            told = explain(error) or f"{self.name}: {error}"
        kind = SourceBusy if _passes(error) else SourceUnavailable
        raise kind(f"DynamoDB: {told.rstrip('.')}. Nothing was extracted.") from error


def _passes(error: BaseException) -> bool:
    """Whether a failure may be gone when the request is sent again."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _PASSING
    return isinstance(error, (HTTPClientError, NoConnectionError))


def _as_sent(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Lets items through as they are: botocore would take each to pieces, and they would be put together again."""
    if response_dict["status_code"] == 200:  # noqa: PLR2004
        page = msgspec.json.decode(response_dict["body"], type=_Page)
        customized_response_dict["AsSent"] = page.Items
        response_dict["body"] = b'{"LastEvaluatedKey":%b}' % bytes(page.LastEvaluatedKey)
