"""Months of deliveries of all domains with faults between and within: in the end it is as if nothing had happened.

Every few days something arrives and is built: by a process that may be killed at any time, after which the lake may be
moved and maintained. ``NH_SOAK_MONTHS`` says for how long (few here, so that the suite stays short), ``NH_SOAK_SEED``
with which faults.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import expire, sweep
from nh_pipeline.lake.relocate import relocate
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.pipeline.verify import verified
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.sample.treatments.system import FULL, System
from nh_pipeline.sample.treatments.writing import archive, put, scan
from nh_pipeline.tables import qualities, tables
from nh_pipeline_tests.support import chain, fhir
from nh_pipeline_tests.support.killing import Mother

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.at_length, pytest.mark.every_mart, pytest.mark.timeout(0)]

MONTHS, SEED = int(os.environ.get("NH_SOAK_MONTHS", "1")), int(os.environ.get("NH_SOAK_SEED", "7"))
FIRST = datetime(2024, 7, 1, 7, tzinfo=timezone.utc)
STEP, MONTH = timedelta(days=4), timedelta(days=28)
HOMES, PATIENTS, TREATMENTS = 8, 30, 60


@dataclass
class Feed:
    """What arrives: of CMS by quarters, months and corrections; of the chain's own systems every few days."""

    folder: Path
    chance: random.Random
    cms: Deliveries = field(init=False)
    began: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        quarters = tuple(f"{2024 + n // 4}Q{1 + n % 4}" for n in range(1 + MONTHS // 3))
        self.cms = Deliveries(HOMES, quarters, releases=MONTHS, quirks=False, days=5)
        self.system, self._fixes = System(self.cms, TREATMENTS, HOMES), Counter()
        self.folder.mkdir()

    def arrivals(self) -> Iterator[tuple[datetime, list[Path]]]:
        for number in range(MONTHS * (MONTH // STEP)):
            day, month = FIRST + number * STEP, number * STEP // MONTH
            arrived = [self._export(day), self._extraction(day, whole=day == FIRST + month * MONTH)]
            if day == FIRST + month * MONTH:
                arrived += self.cms.release(self.folder, month)
                if month % 3 == 0:
                    arrived.append(self.cms.staffing(self.folder, self.cms.quarters[month // 3]))
            elif self.chance.random() < 0.3:
                quarter = self.cms.quarters[self.chance.randrange(1 + month // 3)]
                self._fixes[quarter] += 1
                fix = Correction(0, 1 + self._fixes[quarter] % HOMES, self._fixes[quarter], seed=number)
                arrived.append(self.cms.corrected(self.folder, quarter, fix))
            self.chance.shuffle(arrived)
            yield day, arrived

    def _export(self, day: datetime) -> Path:
        """Of some patients: versions of them, stays that begin, ones that end, sometimes one that never was."""
        found: list[fhir.Resource | str] = []
        for n in self.chance.sample(range(PATIENTS), 6):
            patient = fhir.patient(f"p{n}", birthDate=f"{1930 + n}-05-01", active=self.chance.random() < 0.5)
            stay = f"e{n}"
            began, ends = self.began.setdefault(stay, day), self.chance.random() < 0.4
            end = f"{day:%Y-%m-%dT%H:%M:%SZ}" if ends else None
            encounter = fhir.encounter(f"{stay}-{began:%m%d}", f"p{n}", f"{began:%Y-%m-%dT01:00:00Z}", end)
            found += [fhir.updated(one, f"{day:%Y-%m-%dT06:00:00Z}") for one in (encounter, patient)]
            if ends:
                del self.began[stay]
        content = fhir.ndjson(found)
        if self.chance.random() < 0.3:
            content += fhir.deleted(f"Encounter/{found[0]['id']}")
        return self._written(f"export-{day:%Y-%m-%d}.ndjson", content, day)

    def _extraction(self, day: datetime, *, whole: bool) -> Path:
        """Of treatments that were changed, or of all that there are: then one is gone."""
        number = len(list(self.folder.glob("treatments-*")))
        some = set(range(1, TREATMENTS + 1)) - {number} if whole else self.chance.sample(range(1, TREATMENTS + 1), 10)
        then = [replace(self.system.treated(n, FULL), modified_at=day - timedelta(hours=n)) for n in sorted(some)]
        lines = [put(self.system.item(treated)) for treated in then]
        summary = scan(day) if whole else scan(day, since=day - STEP)
        return self._written(f"treatments-{day:%Y-%m-%d}.zip", archive(summary, lines), day)

    def _written(self, name: str, content: bytes, day: datetime) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        os.utime(path, (day.timestamp(), day.timestamp()))
        return path


def contents(root):
    """All rows, but of the tables that tell when runs were: no two lakes have the same."""
    lake = Lake(str(root))
    return {table.name: chain.table(lake, table) for table in tables() if table not in qualities()}


@pytest.fixture
def mother(tmp_path):
    mother = Mother(tmp_path / "log", every_mart=True)
    yield mother
    mother.end()


def test_months_with_faults_end_as_months_without(mother, tmp_path):
    chance, faults, usual = random.Random(SEED), Counter(), 8.0  # noqa: S311 (no secret)
    feed, root, files = Feed(tmp_path / "feed", chance), tmp_path / "lake-0", list[Path]()
    for number, (_, arrived) in enumerate(feed.arrivals()):
        files += arrived
        twice = chance.sample(files, min(2, len(files)))  # somebody copies old files there once more
        outcome = mother(root, *arrived, *twice, after=chance.random() * usual if number % 2 else None)
        faults["killed"] += outcome.killed
        usual = usual if outcome.killed else outcome.seconds
        if number % 3 == 2:
            lake = Lake(str(root))
            expire(lake, tables(), {}, kept_for=timedelta(0), kept=1, left_alone=timedelta(0))
            faults["swept"] += len(sweep(lake, tables(), older_than=timedelta(0)))
        if number % 5 == 3:
            root = root.rename(tmp_path / f"lake-{number + 1}")
            faults["moved"] += len(relocate(Lake(str(root)))) > 0
    # What the last ones left undone, and files of which nothing says that they had landed before they were killed.
    assert not mother(root, *files).killed
    assert not mother(tmp_path / "undisturbed", *files).killed
    lake = Lake(str(root))
    assert plan(lake, RawZone(lake.storage)).builds == ()
    assert [fault for each in verified(lake, None) for fault in each.faults] == []
    wanted = contents(tmp_path / "undisturbed")
    found = contents(root)
    assert {name: rows.equals(wanted[name]) for name, rows in found.items()} == dict.fromkeys(wanted, True)
    assert min(faults[name] for name in ("killed", "swept", "moved")) > 0, faults
