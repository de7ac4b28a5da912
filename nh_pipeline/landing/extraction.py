"""Extracting a DynamoDB table: each time one delivery lands, and then the table's watermark moves.

What belongs here: from which instant on items are read, all or nothing, and how far a table has landed. Not here:
asking DynamoDB (:mod:`nh_pipeline.sources.dynamodb`), and what a delivery says (:mod:`nh_pipeline.landing`).

The watermark is the greatest time of modification that has landed, of those that are not after the extraction began:
never a clock's. The next extraction begins an overlap before it. It is kept in ``state/dynamodb/<table>.json``, moves
when a delivery has landed, and if it is lost it follows from the deliveries. Killed between any two steps, an
extraction is begun again and nothing is missing: at the worst, items land twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from nh_pipeline.datasets.treatments import TREATMENTS
from nh_pipeline.errors import translate_infrastructure_errors
from nh_pipeline.failpoints import Point, reached
from nh_pipeline.landing.confirmations import confirmed, withdrawn
from nh_pipeline.landing.handing_over import hand_over, workplace
from nh_pipeline.landing.holding import held
from nh_pipeline.sources.dynamodb import Table
from nh_pipeline.sources.dynamodb_export import Extraction, said_of_itself, write_export
from nh_pipeline.sources.dynamodb_reading import read_all
from nh_pipeline.sources.protocol import SourceUnavailable

if TYPE_CHECKING:
    from typing import BinaryIO

    from nh_pipeline.landing.keeping import Landed
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.settings import Settings
    from nh_pipeline.sources.dynamodb import Mode


_EVER = datetime.min.replace(tzinfo=timezone.utc)


class Watermark(BaseModel):
    """How far a table has landed.

    Attributes:
        modified_at: Everything up to then has landed, but for what is written later; None if nothing has.
        since: From when on the last extraction read; None if that was everything.
        digest: Of the items of the last extraction, in any order.
    """

    model_config = ConfigDict(frozen=True)

    modified_at: AwareDatetime | None = None
    since: AwareDatetime | None = None
    digest: str = ""

    def after(self, since: datetime | None, greatest: datetime | None) -> datetime | None:
        """How far it has landed with an extraction: as far as before, if that left a gap."""
        if greatest is None or (since and (self.modified_at is None or since > self.modified_at)):
            return self.modified_at
        return max(greatest, self.modified_at or greatest)


@dataclass(frozen=True)
class Extracted:
    """What came of an extraction.

    Attributes:
        mode: How it was read.
        since: From when on, by time of modification; None for everything.
        items: How many were read.
        landed: What became of the delivery; None if it would have been the last one again.
        watermark: How far the table has landed by now.
        held: Why the delivery does not count until a person confirms it; empty if it does.
    """

    mode: Mode
    since: datetime | None
    items: int
    landed: Landed | None
    watermark: datetime | None
    held: str = ""


@translate_infrastructure_errors()
def extract(
    settings: Settings,
    zone: RawZone,
    *,
    full: bool = False,
    mode: Mode | None = None,
    since: datetime | None = None,
    table: Table | None = None,
) -> Extracted:
    """Extracts what has changed in the table of the settings, or all of it, and lands it.

    Args:
        settings: Which table, and how.
        zone: Where to.
        full: All items; also if none have landed yet. Always a scan, as an index need not have all.
        mode: Instead of the settings'.
        since: From when on, instead of the watermark less the overlap. A gap before it leaves the watermark as it is.
        table: Instead of the settings'.

    Returns:
        What came of it. A delivery in quarantine, or one that is held, leaves the watermark as it is; the same window
        does not land again, all the same.

    Raises:
        SourceUnavailable: DynamoDB does not give everything. Nothing has landed.
        LandingError: The delivery could not be landed. Nothing is left behind.
    """
    table, started = table or table_of(settings), datetime.now(tz=timezone.utc)
    overlap, known = timedelta(minutes=settings.treatments_overlap), watermark(zone, table.name)
    if full:
        since = None
    elif since is None and known.modified_at:
        since = known.modified_at - overlap
    mode, described = (mode or settings.treatments_mode) if since else "scan", table.described()
    requests = table.query(since, described) if since and mode == "query" else table.scan(since)
    with workplace(zone.storage) as folder:
        found = read_all(table, requests, folder, since, started)
        if since and (since, found.digest) == (known.since, known.digest):
            return Extracted(mode, since, found.items, None, known.modified_at)
        path = folder / f"dynamodb-{table.name[:150]}-{mode}-{started:%Y%m%dT%H%M%SZ}.zip"
        own = {
            "mode": mode,
            "table": table.name,
            "from": since,
            "overlap_seconds": int(overlap.total_seconds()),
            "started_at": started,
            "greatest_modified_at": found.greatest,
        }
        with path.open("wb") as out:
            write_export(out, [part.file for part in found.parts], _summary(described, started, own), started)
        reached(Point.EXTRACTED, table.name)
        landed = hand_over(zone, path, started)
    current = watermark(zone, table.name)  # another extraction may have moved it
    counting, why_held = _look(zone)
    counts = landed.document.md5 in {delivery.delivery_id for delivery in counting}
    so_far = current.after(since, found.greatest) if counts else current.modified_at
    said = Watermark(modified_at=so_far, since=since, digest=found.digest)
    zone.storage.write(_path(table.name), said.model_dump_json(indent=1).encode())
    return Extracted(mode, since, found.items, landed, so_far, why_held.get(landed.document.md5, ""))


def table_of(settings: Settings) -> Table:
    """The table of the settings.

    Raises:
        SourceUnavailable: None is named.
    """
    if not settings.treatments_table:
        raise SourceUnavailable("No table is named: set NH_TREATMENTS_TABLE to the DynamoDB table of the treatments.")
    return Table(
        settings.treatments_table,
        region=settings.treatments_region,
        index=settings.treatments_index,
        shards=settings.treatments_shards,
        segments=settings.treatments_segments,
    )


def watermark(zone: RawZone, table: str) -> Watermark:
    """How far a table has landed."""
    path = _path(table)
    if zone.storage.exists(path):
        try:
            return Watermark.model_validate_json(zone.storage.read(path))
        except ValidationError:  # damaged: as if lost
            pass
    return _derived(zone, table)


def _derived(zone: RawZone, table: str) -> Watermark:
    """The watermark as it follows from what has landed: everything once, and windows without a gap."""
    extractions = list[Extraction]()
    for delivery in _look(zone)[0]:
        facts = delivery.manifest.export.extraction if delivery.manifest.export else None
        if facts is None or facts.table_name != table:
            continue
        if facts.mode == "export" and facts.is_full:
            newest = facts.newest_modified_at
            greatest = newest if newest and newest <= facts.started_at else None
            extractions.append(Extraction(table, facts.started_at, None, greatest))
        with zone.storage.open(delivery.file) as stream:
            said = said_of_itself(cast("BinaryIO", stream))
        extractions += [said] if said else []
    found = Watermark()
    for extraction in sorted(extractions, key=lambda each: each.since or _EVER):
        found = Watermark(modified_at=found.after(extraction.since, extraction.greatest_modified_at))
    return found


def _path(table: str) -> str:
    return f"state/dynamodb/{table}.json"


def _look(zone: RawZone) -> tuple[list[Delivery], dict[str, str]]:
    """Deliveries of treatments that count, and why others are held."""
    landed, by_person = zone.deliveries(TREATMENTS.name), withdrawn(zone.storage)
    why = held(landed, confirmed(zone.storage), by_person)
    return [d for d in landed if not d.withdrawn and d.delivery_id not in {*by_person, *why}], why


def _summary(described: dict[str, Any], started: datetime, own: dict[str, Any]) -> dict[str, Any]:
    """A summary as AWS writes it; what only an export of AWS has is null."""
    return {
        "version": "2020-06-30",
        "exportArn": None,
        "startTime": started,
        "endTime": datetime.now(tz=timezone.utc),
        "tableArn": described.get("TableArn"),
        "tableId": described.get("TableId"),
        "exportTime": started,
        "s3Bucket": None,
        "s3Prefix": None,
        "s3SseAlgorithm": None,
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": "manifest-files.json",
        "billedSizeBytes": 0,
        "outputFormat": "DYNAMODB_JSON",
        "nh": own,
    }
