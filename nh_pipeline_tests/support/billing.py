"""Claims and explanations of benefit as tests write them down, as rows of bronze."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nh_pipeline_tests.support.fhir_rows import rows
from nh_pipeline_tests.support.frames import frame_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from nh_pipeline.model.mart import Mart

CARC = "https://x12.org/codes/claim-adjustment-reason-codes"

Line = tuple[str | None, dict[str, Any]]
Decision = tuple[str | None, str, str | None, str | None]


_LINES = {"claim": "claim_item", "explanation_of_benefit": "eob_item"}


class Billing:
    """Rows of bronze and silver, by the short name of their table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, table: str, patient: str | None, **said: Any) -> None:
        self.rows.setdefault(table, []).append(({"patient_id": patient} if patient else {}) | said)

    def claim(
        self, patient: str, name: str, *, billed: str | None = "100", lines: Sequence[Line] = (), **said: Any
    ) -> None:
        """A claim of ``billed`` dollars; a line is its price, and what else it says."""
        told = {"status": "active", "use": "claim", "type_code": "institutional", "total_value": billed,
                "total_currency": "USD", "created": "2024-01-10", "coverage_display": "private"}  # fmt: skip
        self._resource("claim", patient, name, lines, told | said)

    def eob(
        self, patient: str, name: str, paid: str | None = None, *, of: str | None = None, lines: Sequence[Line] = (),
        decided: Iterable[Decision] = (), **said: Any,
    ) -> None:  # fmt: skip
        """An explanation of benefit; a decision is a line's number (None: of all), a code, an amount and a reason."""
        told = {"status": "active", "use": "claim", "type_code": "institutional", "outcome": "complete",
                "created": "2024-01-20", "payment_amount": paid, "claim": of and f"Claim/{of}"}  # fmt: skip
        at = self._resource("explanation_of_benefit", patient, name, lines, told | said)
        for nth, (line, code, amount, reason) in enumerate(decided):
            self.add("eob_adjudication", patient, item_index=nth, sequence=line, category_code=code, amount=amount,
                     reason_code=reason, reason_system=CARC if reason else None, **at)  # fmt: skip

    def _resource(
        self, table: str, patient: str, name: str, lines: Sequence[Line], said: dict[str, Any]
    ) -> dict[str, Any]:
        version = said.pop("version", 1)
        at = {"resource_id": name, "version_at": datetime(2024, 6, version, tzinfo=UTC), "delivery_id": f"d{version}",
              "content_md5": said.pop("content_md5", f"{name} {version}")}  # fmt: skip
        self.add(table, patient, **said, **at, source_line=1)
        for nth, (net, more) in enumerate(lines):
            told = {"item_index": nth, "sequence": str(nth + 1), "net": net, **more}
            self.add(_LINES[table], patient, **told, **at, source_line=1)
        return at | {"source_line": 1}

    def built(self, engine: SparkSession, marts: Sequence[Mart]) -> dict[str, DataFrame]:
        """The frames of all tables, by their short name: what was added, and the marts that are made of it."""
        tables = {table.short: table for mart in marts for table in mart.inputs}
        frames = {name: rows(engine, table, *self.rows.get(name, ())) for name, table in tables.items()}
        for mart in marts:
            made = mart.transform(*(frames[table.short] for table in mart.inputs)).collect()
            frames[mart.name] = frame_of(engine, mart.table, [row.asDict() for row in made])  # as if read from files
        return frames
