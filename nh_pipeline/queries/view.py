"""What a view for reports is, and the databases that tables and views are in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nh_pipeline.domains import domain_of, selected

SCHEMA = "bi"
"""The database, or schema, of views on what is public."""

CLINICAL_SCHEMA = "clinical_bi"
"""The one of views that read the clinical domain: who may read :data:`SCHEMA` may not read these."""

DATABASES = (
    *("bronze", "silver", "gold", SCHEMA),
    *("clinical_bronze", "clinical_silver", "clinical_gold", CLINICAL_SCHEMA),
    *("treatments_bronze", "treatments_silver", "treatments_gold"),
)
"""Databases that a prefix may begin."""


def selected_databases() -> tuple[str, ...]:
    """Those of the selected domains."""
    return tuple(name for name in DATABASES if domain_of(name) in selected())


@dataclass(frozen=True)
class View:
    """One view: ``bi.<name>``, what a row of it is, and its SELECT in DuckDB's dialect."""

    name: str
    description: str
    query: str

    @property
    def schema(self) -> str:
        return self.name.partition(".")[0]

    @property
    def reads(self) -> set[str]:
        """The tables and views that it names."""
        return set(re.findall(rf"\b(?:{'|'.join(DATABASES)})\.\w+", self.query))

    @property
    def statement(self) -> str:
        """The statement that makes it in DuckDB."""
        return f"create or replace view {self.name} as {self.query}"
