"""Deliveries of FHIR resources: told by their bytes, surveyed, and made into batches of bronze."""

from __future__ import annotations

from nh_pipeline.landing.fhir.extract import Extraction
from nh_pipeline.landing.fhir.survey import Surveyed, is_fhir, is_fhir_archive, survey

__all__ = ["Extraction", "Surveyed", "is_fhir", "is_fhir_archive", "survey"]
