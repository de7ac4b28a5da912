"""Citations of health and fire safety inspections (NH_HealthCitations, NH_FireSafetyCitations, monthly); their tags.

One line is one deficiency that an inspection cited. Standard, complaint and infection control are not exclusive: a
citation may bear several of the marks, so that their sum is more than the number of citations.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import ANY, BY_PROVIDER, LOCATION, PROCESSING_DATE, PROVIDER_ID, WHERE
from nh_pipeline.model.columns import category, count, date, text, yes_no
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

_PREFIX = text(
    "deficiency_prefix",
    "Kind of tag: F of health, K of life safety, E of emergency preparedness",
    "Deficiency Prefix",
    "DEFPREF",
)
_TAG = text(
    "deficiency_tag",
    "Regulation that was not met: four digits under the prefix",
    "Deficiency Tag Number",
    "TAG",
    required=True,
)
_CATEGORY = text("deficiency_category", "Group of tags", "Deficiency Category", "CATEGORY")
_DESCRIPTION = text("deficiency_description", "What the tag demands", "Deficiency Description", "TAG_DESC")

_VERSION = text("tag_version", "Edition of the Life Safety Code (K tags): New, Old", "Tag Version", "NEW_OLDTAG")
_FACTS = (
    PROVIDER_ID,
    date("survey_date", "Last day of the inspection", "Survey Date", "SURVEY_DATE_OUTPUT", required=True),
    _PREFIX,
    _TAG,
    _CATEGORY,
    category(
        "scope_severity",
        "Scope and severity: A to C a potential for minimal harm, D to F for more, G to I actual harm, J to L "
        "immediate jeopardy; of each three, isolated, a pattern, widespread",
        "ABCDEFGHIJKL",
        "Scope Severity Code",
        "SCOPE",
        required=True,
    ),
    text("deficiency_corrected", "Whether and how it was corrected, in CMS's words", "Deficiency Corrected", "DEFSTAT"),
    date("correction_date", "Day of the correction", "Correction Date", "STATDATE"),
    count("inspection_cycle", "Rating cycle that it counts in, 1 the latest", "Inspection Cycle", "CYCLE"),
    yes_no("standard_deficiency", "Cited in a standard inspection", "Standard Deficiency", "STANDARD"),
    yes_no("complaint_deficiency", "Cited in a complaint inspection", "Complaint Deficiency", "COMPLAINT"),
    yes_no(
        "infection_control_deficiency",
        "Cited in an infection control inspection",
        "Infection Control Inspection Deficiency",
    ),
    yes_no("under_idr", "Under informal dispute resolution (2023 on)", "Citation under IDR"),
    yes_no("under_iidr", "Under independent informal dispute resolution (2023 on)", "Citation under IIDR"),
)
_COLUMNS = (
    *_FACTS,
    _VERSION,
    text("survey_type", "Health or Fire Safety, in every line the same", "Survey Type", "SURVEYTYPE", required=True),
    _DESCRIPTION,
    *WHERE,
    LOCATION,
    PROCESSING_DATE,
)
_TOLD_BY = ("provider_id", "survey_date", "survey_type", "deficiency_tag", "scope_severity", "processing_date")
_CITED = ("provider_id", "survey_date", "deficiency_prefix", "deficiency_tag")
_CAUTION = (
    "Each release covers several years of inspections: take one release, never a sum over releases. Count rows, never "
    "standard plus complaint. Homes without a citation are not in it"
)

HEALTH_CITATIONS = Dataset(
    name="health_citations",
    title="Health Deficiencies",
    eras=BY_PROVIDER,
    told_by=_TOLD_BY,
    value=("survey_type", "health"),
    released_by=PROCESSING_DATE,
    every_facility=False,
    columns=_COLUMNS,
    tables=(
        PerRelease(
            "fct_health_citations",
            description="Health deficiencies as each release shows them: one row per citation.",
            columns=tuple(column.name for column in _FACTS),
            repeats=_CITED,
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=_CAUTION,
        ),
    ),
)

FIRE_SAFETY_CITATIONS = Dataset(
    name="fire_safety_citations",
    title="Fire Safety Deficiencies",
    eras=BY_PROVIDER,
    told_by=_TOLD_BY,
    value=("survey_type", "fire safety"),
    released_by=PROCESSING_DATE,
    every_facility=False,
    columns=_COLUMNS,
    tables=(
        PerRelease(
            "fct_fire_safety_citations",
            description="Fire safety and emergency preparedness deficiencies as each release shows them: one row each.",
            columns=(*(column.name for column in _FACTS), _VERSION.name),
            repeats=(*_CITED, _VERSION.name),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=_CAUTION,
        ),
    ),
)

CITATION_DESCRIPTIONS = Dataset(
    name="citation_descriptions",
    title="Citation Code Look-up",
    eras=ANY,
    told_by=("deficiency_code", "deficiency_description"),
    key=("deficiency_prefix", "deficiency_tag"),
    columns=(
        _PREFIX.having(nullable=False),
        _TAG.having(nullable=False),
        text("deficiency_code", "Prefix and number in one, as F-0880", "Deficiency Prefix and Number", required=True),
        _DESCRIPTION.having(required=True),
        _CATEGORY,
    ),
    tables=(
        PerRelease(
            "dim_citation_tags",
            description="What the tags of citations mean: one row per prefix and tag.",
            caution="A tag is one only with its prefix: F-0600 and K-0600 are two",
        ),
    ),
)

FCT_HEALTH_CITATIONS = HEALTH_CITATIONS["fct_health_citations"]
FCT_FIRE_SAFETY_CITATIONS = FIRE_SAFETY_CITATIONS["fct_fire_safety_citations"]
