"""The treatment system of a chain (a table of DynamoDB): what of its items becomes bronze."""

from __future__ import annotations

from nh_pipeline.datasets.treatments.attributes import ATTRIBUTES
from nh_pipeline.datasets.treatments.tables import EXTRACTIONS, REJECTS, TREATMENT_ITEMS
from nh_pipeline.model.view import Export

TREATMENTS = Export(
    name="treatments",
    title="Treatments (DynamoDB)",
    tables=(TREATMENT_ITEMS, EXTRACTIONS, REJECTS),
    caution="Every item of every delivery is here: for what holds now, take treatments_silver",
    domain="treatments",
    form="dynamodb",
    read_by=ATTRIBUTES,
)
