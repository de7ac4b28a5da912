"""Skilled Nursing Facility Enrollments: who is enrolled in Medicare under which CCN (monthly, undated).

The bridge from the numbers of enrolment (enrolment, associate, NPI), by which Medicare's files of owners and of changes
of ownership go, to the CCN of all other files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import ANY
from nh_pipeline.model.columns import ccn, date, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def read_ccn(lines: DataFrame) -> DataFrame:
    """Reads the CCN of the home out of the enrolment's, which may have a letter behind it (245381B)."""
    six = lines.selectExpr("*", r"regexp_replace(enrolled_ccn, '[A-Z]\\z', '') as _six")
    return six.selectExpr("*", f"{values.ccn('_six')} as provider_id")


SNF_ENROLLMENTS = Dataset(
    name="snf_enrollments",
    title="Skilled Nursing Facility Enrollments",
    eras=ANY,
    told_by=("enrollment_id", "enrolled_ccn", "associate_id", "doing_business_as", "nursing_home_name"),
    key=("enrollment_id",),
    columns=(
        text("enrollment_id", "Number of the enrolment", "ENROLLMENT ID", required=True, nullable=False),
        text("enrollment_state", "State in which it is enrolled", "ENROLLMENT STATE"),
        text("provider_type_code", "00-18: skilled nursing facility", "PROVIDER TYPE CODE"),
        text("provider_type", "What the code means", "PROVIDER TYPE TEXT"),
        text("npi", "National Provider Identifier", "NPI"),
        text("multiple_npi", "Y if the enrolment has several NPIs", "MULTIPLE NPI FLAG"),
        text("enrolled_ccn", "CCN as the enrolment has it, in some with a letter behind the six characters", "CCN",
             required=True),
        text("associate_id", "Number of the legal entity in PECOS", "ASSOCIATE ID", required=True),
        text("organization_name", "Legal business name", "ORGANIZATION NAME"),
        text("doing_business_as", "Name that it trades under", "DOING BUSINESS AS NAME", required=True),
        date("incorporation_date", "Day of incorporation", "INCORPORATION DATE"),
        text("incorporation_state", "State of incorporation", "INCORPORATION STATE"),
        text("organization_type", "Such as CORPORATION, LLC, OTHER", "ORGANIZATION TYPE STRUCTURE"),
        text("organization_type_other", "Which other one", "ORGANIZATION OTHER TYPE TEXT"),
        text("proprietary_nonprofit", "P if for profit, N if not", "PROPRIETARY_NONPROFIT"),
        text("nursing_home_name", "Name of the nursing home", "NURSING HOME PROVIDER NAME", required=True),
        text("chain_name", "Chain (affiliated entity) that it belongs to", "AFFILIATION ENTITY NAME"),
        text("chain_id", "CMS's number of the chain", "AFFILIATION ENTITY ID"),
        text("address", "Street address", "ADDRESS LINE 1"),
        text("address_2", "Second line of it", "ADDRESS LINE 2"),
        text("city", "City or town", "CITY"),
        text("state", "Two-letter postal code of the state or territory", "STATE"),
        text("zip_code", "ZIP code of five or nine digits", "ZIP CODE"),
    ),
    tables=(
        PerRelease(
            "dim_snf_enrollments",
            description="Medicare enrolments of nursing homes as last published: one row per enrolment.",
            adds=(ccn("provider_id", "CCN of the home: those six characters").having(nullable=True),),
            transform=read_ccn,
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution="A home may have several enrolments: not a key of homes",
        ),
    ),
)  # fmt: skip

DIM_SNF_ENROLLMENTS = SNF_ENROLLMENTS["dim_snf_enrollments"]
