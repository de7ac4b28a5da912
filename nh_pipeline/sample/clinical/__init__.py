"""A deterministic generator of a chain's clinical deliveries (FHIR R4), for tests and the demonstration.

Residents, clinicians, hospitals and payers are made up, and labelled so; the homes are those of the generated CMS
deliveries. Same arguments, same bytes and modified times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.sample.clinical.chain import Chain, Form
from nh_pipeline.sample.clinical.sums import EdTruth, HomeTruth, PayerTruth, Rate
from nh_pipeline.sample.clinical.truth import ClinicalTruth
from nh_pipeline.sample.clinical.writing import write_export
from nh_pipeline.sample.deliveries import README_NAME, Deliveries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "Chain",
    "ClinicalTruth",
    "EdTruth",
    "Form",
    "HomeTruth",
    "PayerTruth",
    "Rate",
    "clinical_truth",
    "write_clinical",
]

_README = """Generated sample data.

The files in this folder have the form of a health record system's exports (FHIR R4). All patients, clinicians, places,
payers and figures in them are made up by nh_pipeline.sample.clinical.
"""


def write_clinical(
    out: Path,
    *,
    cms: Deliveries | None = None,
    patients: int = 60,
    homes: int = 12,
    form: Form = "ndjson",
    zipped: bool = False,
    exports: Sequence[int] = (1, 2),
) -> ClinicalTruth:
    """Writes a chain's exports into folders of their days: nine days after half a year of stories, and two weeks on.

    Args:
        out: The folder, made if it is not there. Files of the same names are replaced.
        cms: The plan of CMS deliveries at whose homes the residents live; its seed is that of all random numbers, its
            first quarter the one in which the stories begin. By default the one of ``nh sample``.
        patients: Residents. All stories occur from 17 on.
        homes: At most.
        form: Transaction Bundles, one for each resident, or bulk NDJSON, one file for each resource type.
        zipped: Whether an export is one archive in its folder, ``fhir_export_2024-07-09.zip``, instead of loose files.
        exports: Which to write: 1 has everything; 2 late versions, deletions, duplicates and broken lines.

    Returns:
        What the tables must come to after all exports up to the last one that is written.
    """
    chain = Chain(cms or Deliveries(), patients, homes)
    out.mkdir(parents=True, exist_ok=True)
    (out / README_NAME).write_text(_README, encoding="utf-8")
    for export in exports:
        write_export(out, chain, export, form, zipped=zipped)
    return chain.truth(max(exports), form)


def clinical_truth(
    *, cms: Deliveries | None = None, patients: int = 60, homes: int = 12, form: Form = "ndjson", exports: int = 2
) -> ClinicalTruth:
    """What the first exports of :func:`write_clinical` with the same arguments come to; writes nothing."""
    return Chain(cms or Deliveries(), patients, homes).truth(exports, form)
