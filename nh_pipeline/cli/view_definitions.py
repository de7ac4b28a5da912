"""``nh view-definitions``: the views of FHIR resources in the form of the standard."""

from __future__ import annotations

import json
import sys


def view_definitions() -> None:
    """Print what bronze takes of FHIR resources as ViewDefinitions of SQL-on-FHIR, one JSON object per line."""
    from nh_pipeline.landing.fhir.standard import view_definitions

    for definition in view_definitions():
        sys.stdout.write(f"{json.dumps(definition)}\n")
