"""What is known of a generated world before anything is read back: the expectations of tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from nh_pipeline.sample.staffing import QuarterSums


@dataclass(frozen=True)
class QuarterTruth:
    """Sums of a quarter's staffing file.

    Attributes:
        facilities: In the file.
        days: In the file.
        rows: Facilities times days.
        census: Σ residents, in resident-days.
        hours_cents: Σ of the eight totals, in cents of an hour.
        contract_cents: Σ of the eight contract columns, in cents of an hour.
        zero_census_rows: Rows without residents.
        zero_hours_rows: Rows without any hours.
    """

    facilities: int
    days: int
    rows: int
    census: int
    hours_cents: int
    contract_cents: int
    zero_census_rows: int
    zero_hours_rows: int

    @classmethod
    def of(cls, sums: QuarterSums) -> QuarterTruth:
        """From the sums per facility."""
        return cls(
            facilities=int((sums.rows > 0).sum()),
            days=sums.days,
            rows=int(sums.rows.sum()),
            census=int(sums.all_residents.sum()),
            hours_cents=int(sums.all_hours.sum()),
            contract_cents=int(sums.all_contract.sum()),
            zero_census_rows=sums.zero_census_rows,
            zero_hours_rows=sums.zero_hours_rows,
        )


@dataclass(frozen=True)
class Truth:
    """What the tables made from all deliveries must come to. Counted from the plan, never from files.

    Attributes:
        quarters: Quarter (``2024Q2``) to the sums of its first delivery.
        releases: Processing Date to the number of providers.
        reports: Processing Date to the quarter that the release reports.
        provider_versions: Certification number to its versions in ``dim_providers``, if only attributes are tracked
            (not the columns measured each quarter: residents, hours per resident day, case mix, turnover). Providers
            that no release knows are left out.
        provider_versions_measured: The same, if the measured columns are tracked as well.
        claim_versions: Rows of ``dim_claims``, if scores and footnotes are tracked, but not the period.
        claim_versions_period: The same, if the measure period is tracked as well.
        unknown_providers: In the staffing files, in no release.
    """

    quarters: Mapping[str, QuarterTruth]
    releases: Mapping[date, int]
    reports: Mapping[date, str]
    provider_versions: Mapping[str, int]
    provider_versions_measured: Mapping[str, int]
    claim_versions: int
    claim_versions_period: int
    unknown_providers: tuple[str, ...]
