"""The export itself: every resource as it came, what was deleted, identifiers, and what could not be read."""

from __future__ import annotations

from nh_pipeline.model.columns import category, text
from nh_pipeline.model.table import REJECTS as CMS_REJECTS
from nh_pipeline.model.table import Partitioning, Table
from nh_pipeline.model.view import DATABASE, LINE, Exported, View, bronze, value

RESOURCE = bronze(
    "resource",
    "Every resource of every delivery, once each, also of types that no other table is made of.",
    (
        text("resource_type", "Resource.resourceType", nullable=False),
        text("profile", "Resource.meta.profile, the first"),
        text("status", "Resource.status, as written"),
        text("full_url", "Bundle.entry.fullUrl"),
        text("bundle_type", "Bundle.type"),
        text("request_method", "Bundle.entry.request.method"),
        text("request_url", "Bundle.entry.request.url"),
        text("if_none_exist", "Bundle.entry.request.ifNoneExist"),
        text("resource", "The resource: its JSON without the blanks between tokens", nullable=False),
    ),
    kind=Exported(leads=True, counts="records"),
)

DELETION = Table(
    name=f"{DATABASE}.deletion",
    description="Resources that an export says are deleted, one row per entry of every delivery.",
    columns=(
        text("resource_type", "Type of the deleted resource", nullable=False),
        *(c for c in RESOURCE.columns if c.name in ("resource_id", "version_at")),
        *(c for c in RESOURCE.columns if c.name in ("dt", "exported_at", "modified_at", "source", "member")),
        LINE,
        *(c for c in RESOURCE.columns if c.name == "delivery_id"),
    ),
    grain=("delivery_id", "member", "source_line"),
    partitioning=Partitioning(("delivery_id",)),
    sensitive=True,
    kind=Exported(counts="records"),
)

IDENTIFIER = View(
    "identifier",
    "",
    description="Identifiers of organizations, clinicians, places and the like of every delivery: not of patients.",
    for_each=("identifier",),
    index="item_index",
    fields=(
        value("resource_type", "Type of the resource", "%resource.resourceType"),
        value("system", "System of the identifier", "system"),
        value("identifier_value", "The identifier", "value"),
        value("type_code", "Kind of identifier", "type.coding.code"),
        value("use", "Use", "use"),
    ),
)
"""What conditional references look for. Patients' identifiers (SSN, licences) are no keys, and stay where they are."""

REJECTS = Table(
    name=f"{DATABASE}.rejects",
    description="Every refused line of every delivery, with where it stands and why: never what it holds.",
    columns=(
        category("stage", "parse: it is no resource; else what it breaks", ("parse", "resource"), nullable=False),
        text("delivery_id", "md5 of the delivered file", nullable=False),
        *(c for c in CMS_REJECTS.columns if c.name == "file_name"),
        *(c for c in RESOURCE.columns if c.name == "member"),
        LINE,
        text("position", "Where in the line the reader stopped (byte)"),
        *(c for c in CMS_REJECTS.columns if c.name in ("reason", "what_to_do")),
    ),
    grain=("delivery_id", "member", "source_line"),
    partitioning=Partitioning(("delivery_id",)),
    sensitive=True,
    kind=Exported(counts="refused"),
)
