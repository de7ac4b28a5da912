"""Silver and gold of the clinical domain, a module each: declaration and pure transform, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical import identity

if TYPE_CHECKING:
    from nh_pipeline.model.mart import Mart

MARTS: tuple[Mart, ...] = (
    identity.CONFLICTS_MART,
    identity.DIRECTORY_MART,
)
"""In an order in which they can be built."""
