"""How a header is read: from its cells to a dataset, an era and canonical column names.

What belongs here: what the declarations of :mod:`nh_pipeline.datasets` say about the first line of a file. Not here:
bytes, encodings and dates (:mod:`nh_pipeline.landing`), values (:mod:`nh_pipeline.transforms.typed`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.model.dataset import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nh_pipeline.model.dataset import Dataset


class HeaderError(ValueError):
    """A header that is none of its dataset's eras.

    Attributes:
        dataset: Name of the dataset that the header was read as.
        missing: Canonical names of required columns that it lacks.
        duplicated: Canonical names that more than one of its cells stand for.
    """

    def __init__(
        self, message: str, *, dataset: str, missing: tuple[str, ...] = (), duplicated: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.dataset = dataset
        self.missing = missing
        self.duplicated = duplicated


@dataclass(frozen=True)
class Header:
    """A header as it was read.

    Attributes:
        layout: Name of the era.
        columns: For each position the canonical name, or None for a cell that is no column.
        unnamed: Those cells as they are written, in order: the dataset gathers them, or nobody knows them.
        extras: Those that nobody knows. Not collected for a dataset without tables.
        absent: Canonical columns that the file does not have.
    """

    layout: str
    columns: tuple[str | None, ...]
    unnamed: tuple[str, ...]
    extras: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def gathered(self) -> frozenset[str]:
        """The cells that the dataset gathers."""
        return frozenset(self.unnamed) - set(self.extras)


_CUT = re.compile(r"(?P<begun>.{59})_[0-9a-f]{4}|(?P<all>.{63})")
"""A name that a tool has cut: CMS's API at 64 characters, with a digest at the end; PostgreSQL at 63."""


def _named(cell: str, labels: dict[str, str]) -> str | None:
    """The column of a cell; of one that a tool has cut, the only one whose name begins so."""
    name = labels.get(fold(cell))
    cut = _CUT.fullmatch(cell.strip())
    if name or not cut:
        return name
    begun = fold(cut["begun"] or cut["all"])
    found = {column for label, column in labels.items() if label.startswith(begun)}
    return found.pop() if len(found) == 1 else None


def names(dataset: Dataset, header: Sequence[str]) -> tuple[str | None, ...]:
    """The canonical name for each cell of a header, None where the dataset does not know the cell."""
    found: list[str | None] = []
    for cell in header:
        name = _named(cell, dataset.by_label)
        for correction in dataset.corrections:
            if fold(cell) == fold(correction.label) and found and found[-1] == correction.after:
                name = correction.means
        found.append(name)
    return tuple(found)


def candidates(header: Sequence[str]) -> list[Dataset]:
    """The datasets whose signature a header has; of those, only the most specific ones.

    Args:
        header: Cells as the file writes them.

    Returns:
        None, one, or several datasets that only their values tell apart (:attr:`Dataset.value`).
    """
    matching = [dataset for dataset in datasets.declared() if set(dataset.told_by) <= set(names(dataset, header))]
    most = max((len(dataset.told_by) for dataset in matching), default=0)
    return [dataset for dataset in matching if len(dataset.told_by) == most]


def canonical_header(dataset: Dataset | str, header: Sequence[str], *, line: int = 1) -> Header:
    """Reads a header: which era it is, and which canonical column each position holds.

    Args:
        dataset: The dataset or its name.
        header: Cells as the file writes them; their letters and digits decide.
        line: Where it is in the file, for messages.

    Returns:
        The header's era and columns.

    Raises:
        HeaderError: If a required column is missing or a column is there twice.
    """
    if isinstance(dataset, str):
        dataset = datasets.dataset(dataset)
    columns = names(dataset, header)
    present = [name for name in columns if name is not None]
    duplicated = tuple(name for name in dataset.by_name if present.count(name) > 1)
    if duplicated:
        cells = ", ".join(repr(cell) for cell, name in zip(header, columns, strict=True) if name in duplicated)
        raise HeaderError(
            f"{dataset.name}: line {line} has column {', '.join(duplicated)} more than once (cells {cells}); "
            "expected one each. Remove or rename the surplus column in the source.",
            dataset=dataset.name,
            duplicated=duplicated,
        )
    missing = tuple(name for name in dataset.required if name not in present)
    if missing:
        labels = {column.name: " or ".join(repr(label) for label in column.labels) for column in dataset.columns}
        wanted = "; ".join(f"{name} (as {labels[name]})" for name in missing)
        raise HeaderError(
            f"{dataset.name}: line {line} lacks required column {wanted}; found {len(header)} columns, the first "
            f"{list(header[:6])!r}. Deliver the file as CMS publishes it, or add the new header cell to "
            f"the labels of the column in the module of {dataset.name} in nh_pipeline/datasets.",
            dataset=dataset.name,
            missing=missing,
        )
    unnamed = tuple(cell for cell, name in zip(header, columns, strict=True) if name is None)
    return Header(
        layout=_layout(dataset, header),
        columns=columns,
        unnamed=unnamed,
        extras=tuple(c for c in unnamed if not _gathered(dataset, c)) if dataset.has_tables else (),
        absent=tuple(name for name in dataset.by_name if name not in present) if dataset.has_tables else (),
    )


def _gathered(dataset: Dataset, cell: str) -> bool:
    return bool(dataset.gathers and re.fullmatch(dataset.gathers, _words(cell)))


def _layout(dataset: Dataset, header: Sequence[str]) -> str:
    """The era: some are told apart by where the words of a cell end (``hrs_lpn_admin``), if the file still shows it."""
    for same in (_words, fold):
        cells = {same(cell) for cell in header}
        for era in dataset.eras:
            if era.markers and cells.issuperset(map(same, era.markers)):
                return era.name
    return dataset.eras[-1].name


@lru_cache(maxsize=10_000)
def _words(cell: str) -> str:
    return re.sub(r"[\W_]+", " ", cell).strip().casefold()
