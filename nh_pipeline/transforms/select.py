"""The last step of a transform: the columns that a table declares, in its order and types."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nh_pipeline.model.columns import Column


def select(columns: tuple[Column, ...], sql: Mapping[str, str]) -> list[str]:
    """SQL of these columns in their types: as ``sql`` says, else the column of the same name."""
    return [f"cast({sql.get(c.name, c.name)} as {c.type.sql}) as {c.name}" for c in columns]
