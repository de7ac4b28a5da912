"""A plan of deliveries, from which single files or all of them can be written, and what they must come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample import averages, every_file, files, measures, providers, stars
from nh_pipeline.sample.facilities import World, build_world
from nh_pipeline.sample.headers import staffing_name
from nh_pipeline.sample.history import History, plan_history
from nh_pipeline.sample.inspections import Inspections, cycles, draw_inspections
from nh_pipeline.sample.intervals import interval_rows
from nh_pipeline.sample.layouts import CHAIN_2025, INTERVALS, KEY, PROCESSING_DATE, era_of
from nh_pipeline.sample.periods import MONTHS, Quarter, release_months, reported_quarter, timestamp
from nh_pipeline.sample.quality import mds_scores
from nh_pipeline.sample.release import Release
from nh_pipeline.sample.staffing import Correction, QuarterSums, blocks
from nh_pipeline.sample.truth import QuarterTruth, Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from numpy.typing import NDArray

    from nh_pipeline.sample.layouts import Era

ZIP_FROM_ROWS = 5_000
"""Quarters after the first are delivered as ``.zip`` from this many rows on."""

README_NAME = ".README.txt"
_README = """Generated sample data, not CMS data.

The files in this folder have the layouts of the public nursing home files of the U.S. Centers for Medicare &
Medicaid Services (CMS). All facilities, people, places and figures in them are made up by nh_pipeline.sample.
"""
_CORRECTION_DAYS = 30


@dataclass(frozen=True)
class Deliveries:
    """A deterministic plan: equal plans write equal bytes.

    Attributes:
        facilities: In the staffing files.
        quarters: Like ``2024Q2``; sorted, without repetitions.
        releases: Monthly releases, from the first that reports the first quarter.
        seed: Of all random numbers.
        quirks: Whether the oddities of real files occur (those of single facilities from 20 facilities on).
        days: Only the first days of each quarter, for fast tests; None for all.
        full_from: Number (from 0) of the first release with every CMS file, instead of five; None for none.
    """

    facilities: int = 120
    quarters: tuple[str, ...] = ("2024Q1", "2024Q2")
    releases: int = 4
    seed: int = 7
    quirks: bool = True
    days: int | None = None
    full_from: int | None = None
    _sums: dict[Quarter, QuarterSums] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.quarters or self.releases < 0 or self.seed < 0 or (self.days is not None and self.days < 1):
            raise ValueError("needs at least one quarter and one day, and no negative releases or seed")
        object.__setattr__(self, "quarters", tuple(str(quarter) for quarter in self.parsed_quarters))

    @cached_property
    def parsed_quarters(self) -> tuple[Quarter, ...]:
        """The quarters, ascending."""
        return tuple(sorted({Quarter.parse(text) for text in self.quarters}))

    @cached_property
    def world(self) -> World:
        """The facilities."""
        return build_world(self.facilities, self.seed, quirks=self.quirks)

    @cached_property
    def release_dates(self) -> tuple[date, ...]:
        """Processing Dates, ascending."""
        return tuple(release_months(self.parsed_quarters[0], self.releases))

    @cached_property
    def history(self) -> History:
        """The plan of changes over the releases."""
        return plan_history(self.world, self.releases, [each.reach for each in self._stars])

    @cached_property
    def _inspections(self) -> Inspections:
        return draw_inspections(self.world, self.parsed_quarters[0].reported_from)

    @cached_property
    def _stars(self) -> list[stars.Stars]:
        """What decides on the ratings, by release (of the first one at least): anew where the score was redefined."""
        days = release_months(self.parsed_quarters[0], max(self.releases, 1))
        abuse = self._fixed["Abuse Icon"]
        drawn = {
            rated: stars.draw_stars(self.world, self._inspections.weighted_score(day), abuse, self.days)
            for rated, day in {cycles(day): day for day in days}.items()
        }
        return [drawn[cycles(day)] for day in days]

    @cached_property
    def _penalties(self) -> list[providers.Penalty]:
        return measures.draw_penalties(self.world, self.parsed_quarters[0].reported_from)

    @cached_property
    def _fixed(self) -> dict[str, list[str]]:
        return providers.fixed_columns(self.world)

    def _penalties_of(self, number: int) -> list[providers.Penalty]:
        """As the penalties file of a release has them: some fines are reduced in the second release with every file."""
        reduced = self.full_from is not None and number > self.full_from
        return measures.revised(self._penalties) if reduced else self._penalties

    def write(self, out: Path, progress: Callable[[str], None] | None = None) -> list[Path]:
        """Writes all first deliveries into a folder, and a hidden note that they are generated.

        Returns:
            Paths of the deliveries (not of the note), staffing first.
        """
        say = progress or (lambda _: None)
        out.mkdir(parents=True, exist_ok=True)
        with files.new_file(out / README_NAME, timestamp(self.parsed_quarters[0].first)) as note:
            note.write(_README.encode())
        paths = []
        for quarter in self.quarters:
            paths.append(self.staffing(out, quarter))
            say(f"wrote {paths[-1].name}")
        for number in range(self.releases):
            written = self.release(out, number)
            paths += written
            say(f"wrote {len(written)} files of {self.release_dates[number]:%B %Y}")
        return paths

    def staffing(self, out: Path, quarter: str) -> Path:
        """Writes the first delivery of a quarter of this plan; CSV, or zip for larger ones after the first."""
        when = self._quarter(quarter)
        rows = len(self.world) * len(when.dates(self.days))
        suffix = ".zip" if when > self.parsed_quarters[0] and rows >= ZIP_FROM_ROWS else ".csv"
        path = out / f"{staffing_name(when)}{suffix}"
        self._sums[when] = self._write_staffing(path, when, timestamp(when.reported_from), None)
        return path

    def corrected(self, out: Path, quarter: str, correction: Correction) -> Path:
        """Writes a corrected re-delivery of a quarter, 30 days after the one before it."""
        when = self._quarter(quarter)
        revision = "" if correction.revision == 1 else str(correction.revision)
        modified = timestamp(when.reported_from, _CORRECTION_DAYS * correction.revision)
        path = out / f"{staffing_name(when)}_corrected{revision}.csv"
        self._write_staffing(path, when, modified, correction)
        return path

    def release(self, out: Path, number: int) -> list[Path]:
        """Writes the files of a release, by its number from 0: five, or all of CMS's."""
        release, era = self._release(number), era_of(self.release_dates[number])
        present, inspections = release.present.tolist(), self._inspections
        full = self.full_from is not None and number >= self.full_from
        penalties = self._penalties_of(number)
        claims = measures.claim_scores(self.world, number, quirks=self.quirks)
        mds = mds_scores(self.world, release.day)
        scores = dict(zip((*era.mds, *measures.CLAIM_CODES), [*mds[:, :, -1], *claims[:, :, 0]], strict=True))
        blank = [""] * len(self.world)
        rows = zip(*(release.columns.get(name, blank) for name in era.provider), strict=True)
        known = (row for row, here in zip(rows, present, strict=True) if here)
        averaged = averages.state_rows(release, inspections, penalties, scores)

        def path(dataset: str) -> Path:
            return out / f"NH_{dataset}_{MONTHS[release.day.month - 1]}{release.day.year}.csv"

        stamp, style = timestamp(release.day), {"legacy": era.legacy, "quoted": era.quoted}
        bom = self.quirks and not era.legacy
        claimed, fined = measures.claims_rows(release, claims), measures.penalty_rows(release, penalties)
        written = [
            files.write_csv(
                path("DataCollectionIntervals"), INTERVALS, interval_rows(release), stamp, legacy=era.legacy
            ),
            files.write_csv(path("ProviderInfo"), era.header(era.provider), known, stamp, **style),
            files.write_csv(path("QualityMsr_Claims"), era.header(era.claims), claimed, stamp, **style),
            files.write_csv(path("Penalties"), era.header(era.penalties), fined, stamp, **style, bom=bom),
            files.write_csv(path("StateUSAverages"), era.header(era.averages), averaged, stamp, **style),
        ]
        if full:
            others = [
                *every_file.inspection_files(release, inspections, self._stars[number].cuts),
                *every_file.quality_files(release, mds, scores, penalties),
                *every_file.owner_files(release, self.history, self.release_dates),
                *(every_file.yearly_files(release) if number == self.full_from else ()),
            ]
            written += [
                files.write_csv(out / f"{name}.csv", _spelt(era, header), lines, stamp, **style)
                for name, header, lines in others
            ]
        return written

    def _release(self, number: int) -> Release:
        """A release and its Provider Information."""
        day, present = self.release_dates[number], self.history.present
        reported = reported_quarter(day, self.parsed_quarters)
        always = np.asarray(present.all(axis=0))
        columns = self._fixed | providers.measured_columns(self.world, reported, self._sums_of(reported), always)
        # Provider Information follows a reduced fine a release later.
        columns |= providers.penalty_totals(len(self.world), self._penalties_of(number - 1))
        columns = providers.release_columns(
            columns, self.history, number, day, inspections=self._inspections, stars=self._stars[number]
        )
        if CHAIN_2025[0] in era_of(day).provider:
            columns |= averages.chain_columns(columns, present[number])
        return Release(
            world=self.world,
            number=number,
            day=day,
            reported=reported,
            computed_for=self.release_dates[number - number % measures.SCORE_RELEASES],
            present=present[number],
            columns=providers.with_noise(columns, number) if self.quirks else columns,
        )

    def quarter_truth(self, quarter: str, correction: Correction | None = None) -> QuarterTruth:
        """What a delivery of a quarter holds, first or corrected."""
        when = self._quarter(quarter)
        return QuarterTruth.of(self._summarise(when, correction) if correction else self._sums_of(when))

    def truth(self) -> Truth:
        """What all first deliveries come to."""
        reports = {day: reported_quarter(day, self.parsed_quarters) for day in self.release_dates}
        sequence = list(reports.values())
        new_quarter = np.array([n > 0 and sequence[n] != sequence[n - 1] for n in range(len(sequence))], dtype=np.bool_)
        measured = np.repeat(new_quarter[:, None], len(self.world), axis=1)
        measured[:, self.world.roles.suppressed] = False
        rated = list(zip(self._stars, self.release_dates, strict=False))
        # The footnote for want of registered nurses has another number from 2025 on.
        notes = np.array([by.staffing_footnotes(day) for by, day in rated]).reshape(measured.shape)
        inspected = np.array([by.inspection for by, _ in rated]).reshape(measured.shape)
        rerated = np.zeros_like(measured)
        rerated[1:] = (notes[1:] != notes[:-1]) | (inspected[1:] != inspected[:-1])
        new_scores = np.zeros_like(self.history.present)
        new_scores[measures.SCORE_RELEASES :: measures.SCORE_RELEASES] = True
        scored = ~np.array(measures.blank_scores(self.world, quirks=self.quirks))
        bare = History({}, (), self.history.present)
        return Truth(
            quarters={quarter: self.quarter_truth(quarter) for quarter in self.quarters},
            releases=dict(zip(self.release_dates, self.history.present.sum(axis=1).tolist(), strict=True)),
            reports={day: str(quarter) for day, quarter in reports.items()},
            provider_versions=self._by_provider(self.history.versions(rerated)),
            provider_versions_measured=self._by_provider(self.history.versions(measured | rerated)),
            claim_versions=sum(int(bare.versions(new_scores & has).sum()) for has in scored),
            claim_versions_period=int(bare.versions(new_scores).sum()) * len(scored),
            unknown_providers=tuple(self.world.ccn[index] for index in self.world.roles.unknown.tolist()),
        )

    def _by_provider(self, versions: NDArray[np.int64]) -> dict[str, int]:
        return {ccn: count for ccn, count in zip(self.world.ccn, versions.tolist(), strict=True) if count}

    def _quarter(self, text: str) -> Quarter:
        quarter = Quarter.parse(text)
        if quarter not in self.parsed_quarters:
            raise ValueError(f"{text} is not among the plan's quarters {', '.join(self.quarters)}")
        return quarter

    def _sums_of(self, quarter: Quarter) -> QuarterSums:
        if quarter not in self._sums:
            self._sums[quarter] = self._summarise(quarter, None)
        return self._sums[quarter]

    def _summarise(self, quarter: Quarter, correction: Correction | None) -> QuarterSums:
        sums = QuarterSums(len(self.world), len(quarter.dates(self.days)))
        for block in blocks(self.world, quarter, self.days, correction):
            sums.add(block)
        return sums

    def _write_staffing(self, path: Path, quarter: Quarter, modified: float, fix: Correction | None) -> QuarterSums:
        dates = quarter.dates(self.days)
        sums = QuarterSums(len(self.world), len(dates))
        with files.new_file(path, modified) as stream:
            files.write_staffing_header(stream, quarter)
            for block in blocks(self.world, quarter, self.days, fix):
                files.write_staffing_block(stream, self.world, quarter, block, dates)
                sums.add(block)
        return sums


def _spelt(era: Era, header: Sequence[str]) -> Sequence[str]:
    """A header in the era's spelling, which is that of Nursing Home Compare's own files about providers."""
    return era.header(header) if {KEY, PROCESSING_DATE} <= set(header) else header
