"""Views: what of a FHIR resource becomes a row of bronze, by paths, in the spirit of SQL-on-FHIR's ViewDefinition.

A :class:`View` is one table of ``clinical_bronze``: one row per resource, or per element of it (``for_each``). A field
names a path in a small part of FHIRPath, and by its form gives one column or several. All values are text as written,
so that a number keeps its digits; of several that a path finds, the first counts. How a view is run is in
:mod:`nh_pipeline.landing.fhir`.

Paths: names with dots between them (``period.start``), ``name[0]``, ``value.ofType(Quantity)``,
``extension('url')``, ``name.where(a.b = 'text')``; ``$this`` is the element itself, ``%resource`` its resource,
``%parent`` what it lies in.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, Literal

from nh_pipeline.model.columns import Column, count, date, instant, text
from nh_pipeline.model.table import LINEAGE, Partitioning, Table
from nh_pipeline.model.types import INTEGER

Form = Literal["value", "concept", "reference", "choice", "count"]

BUCKETS = 16
"""Into so many parts the rows of patients are cut, by their ids: what a new delivery touches is built anew alone."""

NO_PATIENT = -1
"""The bucket of what belongs to no patient: organizations, practitioners, locations."""

DATABASE = "clinical_bronze"

UNNAMED = "default"
"""The source of what names none: its ids stand as they are. Those of another begin with its name: ``east:1``."""

REFERENCE = "_ref"
"""What the columns end with that hold references as written."""

PATIENT_BUCKET = Column(
    name="patient_bucket",
    type=INTEGER,
    description=f"crc32 of patient_id modulo {BUCKETS}; {NO_PATIENT} where there is no patient",
    nullable=False,
)

_PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "concept": (
        ("system", "system of the coding"),
        ("code", "code of the coding"),
        ("display", "display of the coding"),
        ("text", "text of the concept"),
        ("codings", "all its codings, as a JSON array, where there are several"),
    ),
    "reference": (
        (
            "ref",
            "as written; of a logical one `Type?identifier=system|value`, as of a conditional one; with its source",
        ),
        ("kind", "relative, urn, absolute, conditional, logical, contained, display, unsupported, or none"),
        ("id", "id of the resource, where the file itself tells"),
        ("display", "display of the reference"),
    ),
}


@dataclass(frozen=True)
class Field:
    """What is taken of an element.

    Attributes:
        name: of the column, or what the names of its columns begin with.
        description: what it is.
        paths: where it is: the first path that finds something counts.
        form: ``value`` (one column of text), ``concept`` (of a CodeableConcept: system, code, display, text and how
            many codings), ``reference``, ``choice`` (which type a choice element has: ``Quantity``), or ``count``.
        to: the resource types that a reference may lead to.
        prefers: code systems of which a concept's coding is taken first.
    """

    name: str
    description: str
    paths: tuple[str, ...]
    form: Form = "value"
    to: tuple[str, ...] = ()
    prefers: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """What its columns are called behind its name, and what each is. A patient's name is none."""
        parts = _PARTS.get(self.form, (("", ""),))
        return parts[:-1] if self.form == "reference" and "Patient" in self.to else parts

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns, all text but for a count."""
        source = f"; {' else '.join(self.paths)}"
        if self.form == "count":
            return (count(self.name, f"{self.description}{source}"),)
        return tuple(
            text("_".join(filter(None, (self.name, part))), f"{self.description}{source}{told and f': {told}'}")
            for part, told in self.parts
        )


def value(name: str, description: str, *paths: str) -> Field:
    """Text as written."""
    return Field(name, description, paths)


def concept(name: str, description: str, *paths: str, prefers: tuple[str, ...] = ()) -> Field:
    """A CodeableConcept, or a Coding."""
    return Field(name, description, paths, "concept", prefers=prefers)


def reference(name: str, description: str, *paths: str, to: tuple[str, ...]) -> Field:
    """A Reference to resources of these types."""
    return Field(name, description, paths, "reference", to=to)


_VERSION = (
    text(
        "resource_id",
        "Resource.id, of a named source `source:id`; if it has none, the uuid of its fullUrl",
        nullable=False,
    ),
    text("version_id", "Resource.meta.versionId"),
    instant("version_at", "Resource.meta.lastUpdated, else when the delivery was exported", nullable=False),
    text("content_md5", "md5 of the resource's JSON without the blanks between tokens", nullable=False),
)
LINE = LINEAGE[1].having(description="Line of the NDJSON, or place of the entry in the Bundle, from 1")
_DELIVERY = (
    date("dt", "Day of the export", nullable=False),
    instant("exported_at", "When the delivery was exported", nullable=False),
    instant("modified_at", "Modified time of the delivery at its source", nullable=False),
    text("source", f"The system that it is from; `{UNNAMED}` if it does not say", nullable=False),
    text("member", "File in the delivered archive; empty if it is none", nullable=False),
    LINE,
    text("delivery_id", "md5 of the delivered file", nullable=False),
)
_PATIENT = (text("patient_id", "Patient that it belongs to, where the file itself tells"), PATIENT_BUCKET)

CUT = Partitioning(("delivery_id", "patient_bucket"))


@dataclass(frozen=True)
class View:
    """One table of bronze: a row per resource of a type, or per element of it.

    Attributes:
        name: of the table.
        resource: the type; empty for all.
        description: one row per what.
        fields: what is taken of each.
        patient: path of the reference to the patient; ``$this`` if the resource is one; empty if it belongs to none.
        for_each: paths of the elements that are rows; none for the resource itself.
        index: name of the column that numbers these elements.
        only_with: fields of which one at least must be found for a row; none for all rows.
        contained: whether those within other resources are rows, too; the index is 0 for a resource of its own.
    """

    name: str
    resource: str
    _: KW_ONLY
    description: str
    fields: tuple[Field, ...]
    patient: str = ""
    for_each: tuple[str, ...] = ()
    index: str = ""
    only_with: tuple[str, ...] = ()
    contained: bool = False

    @cached_property
    def table(self) -> Table:
        """Its table."""
        index = (count(self.index, "Number of the element within its resource", nullable=False),) if self.index else ()
        fields = tuple(column for field in self.fields for column in field.columns)
        return bronze(self.name, self.description, (*index, *fields), kind=Exported(self), index=self.index)


@dataclass(frozen=True)
class Exported:
    """The kind of the tables that an export becomes: one build makes all of them.

    Attributes:
        view: what makes the rows; None of what the reader itself tells.
        leads: whether it stands for all of them: it is published last, and remembers which deliveries are in all.
        counts: what of a delivery its rows are, one by one: records that were taken, refused lines, or neither.
    """

    view: View | None = None
    leads: bool = False
    counts: Literal["records", "refused", ""] = ""


def bronze(name: str, description: str, columns: tuple[Column, ...], *, kind: Exported, index: str = "") -> Table:
    """A table of bronze with the columns that all of them have."""
    keys = ("delivery_id", "member", "source_line", *((index,) if index else ()))
    return Table(
        name=f"{DATABASE}.{name}",
        description=description,
        columns=(*_VERSION, *columns, *_PATIENT, *_DELIVERY),
        grain=keys,
        partitioning=CUT,
        sort=keys,
        sensitive=True,
        kind=kind,
    )


@dataclass(frozen=True, kw_only=True)
class Export:
    """A delivery of many resources: every table that it becomes is built at once.

    Attributes:
        name: in paths and assets.
        title: for people.
        tables: all that it becomes in bronze.
        caution: what goes wrong if it is used carelessly.
        late_after: days after its day after which the next one is late.
        domain: of the data.
        form: what its files are, for people.
        read_by: what its reader goes by, beside the tables: another one makes what has landed be read again.
    """

    name: str
    title: str
    tables: tuple[Table, ...]
    caution: str = ""
    late_after: int = 35
    domain: str = "clinical"
    form: str = "fhir"
    read_by: tuple[Any, ...] = ()
    coverage: Literal["export"] = "export"

    def __hash__(self) -> int:
        return hash(self.name)  # of all that it says would be slow

    @property
    def leading(self) -> Table:
        """The table that stands for all of them."""
        return next(table for table in self.tables if table.kind.leads)

    @property
    def by_delivery(self) -> tuple[Table, ...]:
        """The tables that are cut by deliveries alone, not by patients as well."""
        return tuple(table for table in self.tables if table.partitioning.columns == ("delivery_id",))

    def counting(self, what: str) -> tuple[Table, ...]:
        """The tables whose rows are these of a delivery: see :attr:`Exported.counts`."""
        return tuple(table for table in self.tables if table.kind.counts == what)
