"""Exports that AWS itself made of a table: each folder lands once, as it is, wherever it was copied to."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import RawZone
from nh_pipeline.landing.native_exports import land_exports
from nh_pipeline.sources import SourceUnavailable
from nh_pipeline_tests.support.dynamodb import AT, exported, members

if TYPE_CHECKING:
    from pathlib import Path

    from nh_pipeline_tests.support.aws_server import Aws

pytestmark = pytest.mark.integration

KEY = "treatment_id_partition_key"
ITEMS = [{"Item": {KEY: {"S": str(n)}}} for n in range(5)]
DELETED = {"Metadata": {"WriteTimestampMicros": {"N": "1719802800000000"}}, "Keys": {KEY: {"S": "1"}}}


@pytest.fixture
def zone(tmp_path: Path) -> RawZone:
    return RawZone(Storage(str(tmp_path / "lake")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A full export, an incremental one, and one that AWS has not completed."""
    root = tmp_path / "exports"
    exported(root, ITEMS[:3], ITEMS[3:], [])
    exported(root, [DELETED], since=AT - timedelta(hours=1))
    begun = root / "AWSDynamoDB" / "01719999999999-00000000"
    begun.mkdir()
    (begun / "_started").touch()
    return root


def contents(zone: RawZone) -> dict[str, dict[str, bytes]]:
    """Files of the deliveries, by their name."""
    return {d.manifest.name: members(zone.storage.path(d.file)) for d in zone.deliveries()}


def expected(folder: Path) -> dict[str, dict[str, bytes]]:
    found = {}
    for manifests in (path.parent for path in folder.rglob("manifest-summary.json")):
        lines = (manifests / "manifest-files.json").read_text().splitlines()
        names = [json.loads(line)["dataFileS3Key"] for line in lines]
        data = {f"data/{name.rpartition('/')[2]}": (folder / name.partition("/")[2]).read_bytes() for name in names}
        both = {name: (manifests / name).read_bytes() for name in ("manifest-files.json", "manifest-summary.json")}
        found[f"dynamodb-export-{manifests.name}.zip"] = {**data, **both}
    return found


def test_each_export_of_a_folder_lands_once_as_it_is(zone, folder):
    landed = land_exports(zone, str(folder))
    assert [each.created for each in landed] == [True, True]
    assert contents(zone) == expected(folder)
    assert {d.manifest.modified_at for d in zone.deliveries()} == {AT}
    again = land_exports(RawZone(zone.storage), str(folder))
    assert [(each.created, each.path) for each in again] == [(False, each.path) for each in landed]
    assert list(zone.storage.files("raw/.incoming")) == []


def test_an_export_is_known_by_its_own_folder_too(zone, folder):
    land_exports(zone, str(folder))
    for manifests in folder.glob("AWSDynamoDB/*/manifest-summary.json"):
        (landed,) = land_exports(RawZone(zone.storage), str(manifests.parent))
        assert not landed.created


def test_exports_are_read_from_s3(aws: Aws, zone, folder):
    for path in filter(lambda path: path.is_file(), folder.rglob("*")):
        key = f"copied/elsewhere/{path.relative_to(folder).as_posix()}"
        aws.client("s3").put_object(Bucket=aws.bucket, Key=key, Body=path.read_bytes())
    land_exports(zone, f"s3://{aws.bucket}/copied/elsewhere")
    assert contents(zone) == expected(folder)
    incremental = next(p.parent.name for p in folder.rglob("manifest-summary.json") if b"INCREMENTAL" in p.read_bytes())
    (landed,) = land_exports(zone, f"s3://{aws.bucket}/copied/elsewhere/AWSDynamoDB/{incremental}")
    assert not landed.created


def test_what_is_not_complete_does_not_land(zone, folder):
    with pytest.raises(SourceUnavailable, match="has no export of DynamoDB"):
        land_exports(zone, str(folder / "AWSDynamoDB" / "data"))
    with pytest.raises(SourceUnavailable, match="has no export of DynamoDB"):
        land_exports(zone, str(folder / "nowhere"))
    shutil.rmtree(folder / "AWSDynamoDB" / "data")
    (full, incremental) = sorted(folder.rglob("manifest-summary.json"))
    with pytest.raises(SourceUnavailable, match=r"is not complete: .*/AWSDynamoDB/data/.* is not there"):
        land_exports(zone, str(incremental.parent))
    full.write_text("{}")
    with pytest.raises(SourceUnavailable, match=r"manifest-summary\.json is no manifest of DynamoDB's exports"):
        land_exports(zone, str(full.parent))
    assert zone.deliveries() == []
    assert list(zone.storage.files()) == []
