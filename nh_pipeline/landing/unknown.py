"""Why a CSV is of no known dataset, in words that name the ordinary cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.datasets.elsewhere import elsewhere
from nh_pipeline.datasets.headers import names
from nh_pipeline.landing.dialect import DELIMITERS
from nh_pipeline.landing.refused import Beside, Unrecognised
from nh_pipeline.landing.survey import AS_PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nh_pipeline.model.dataset import Dataset


def unknown(cells: Sequence[str], name: str) -> Unrecognised:
    """Why a file is refused whose header is of no known dataset.

    Args:
        cells: The first line's.
        name: The file's name.
    """
    other = elsewhere(cells)
    if other:
        taken = f" What is taken: {other.instead}." if other.instead else ""
        return (Beside if other.beside else Unrecognised)(
            f"{name}: not a known CMS file: {other.title}, of which no table is made",
            expected=f"the header of one of: {', '.join(d.name for d in datasets.declared())}",
            found=f"the header of {other.title}",
            what_to_do=f"Nothing is wrong with it: take it out of the source.{taken} To have a table of it, declare it "
            "in nh_pipeline/datasets (docs/adding.md).",
        )
    if len(cells) == 1:
        return Unrecognised(
            f"{name}: not a known CMS file: its first line has one cell",
            expected=f"names of columns with {', '.join(DELIMITERS.values())} between them",
            found=repr(cells[0][:60]),
            what_to_do=f"It may be a text, or have another delimiter: save it as CSV (UTF-8). {AS_PUBLISHED}",
        )
    if sum(_is_value(cell) for cell in cells) * 3 >= len(cells):
        return Unrecognised(
            f"{name}: not a known CMS file: no line with the names of the columns",
            expected="names of columns in line 1",
            found=f"values: {[cell[:60] for cell in cells[:6]]!r}",
            what_to_do=f"Put the header of the file back into line 1. {AS_PUBLISHED}",
        )
    nearest, missing, unknown = _nearest(cells)
    if not nearest:
        return Unrecognised(
            f"{name}: not a known CMS file: none of its columns is known",
            expected=f"the header of one of: {', '.join(d.name for d in datasets.declared())}",
            found=f"{len(cells)} cells in the first line, {[cell[:60] for cell in cells[:6]]!r}",
            what_to_do="It may be a readme, or a file of another origin: take it out of the source. To have a table of "
            "it, declare it in nh_pipeline/datasets (docs/adding.md).",
        )
    lacks = f"; it lacks {', '.join(missing)}" if missing else ""
    return Unrecognised(
        f"{name}: not a known CMS file",
        expected=f"the header of one of: {', '.join(d.name for d in datasets.declared())}",
        found=f"{len(cells)} columns, the first {[cell[:60] for cell in cells[:6]]!r}; nearest is {nearest}{lacks}; "
        f"unknown to it: {[cell[:60] for cell in unknown[:6]]!r}{' and more' if len(unknown) > 6 else ''}",  # noqa: PLR2004
        what_to_do="If CMS has changed its header, add the new cells to the labels of its columns in "
        "nh_pipeline/datasets; else take the file out of the source.",
    )


def _is_value(cell: str) -> bool:
    return bool(cell) and not any(c.isalpha() for c in cell.strip()[3:]) and any(c.isdigit() for c in cell)


def _nearest(cells: Sequence[str]) -> tuple[str, list[str], Sequence[str]]:
    def known(dataset: Dataset) -> int:
        return sum(name is not None for name in names(dataset, cells))

    best = max(datasets.declared(), key=lambda dataset: (known(dataset), -len(dataset.columns)))
    if not known(best):
        return "", [], cells
    have = names(best, cells)
    wanted = dict.fromkeys((*best.told_by, *best.required))
    unknown = [cell for cell, name in zip(cells, have, strict=True) if name is None]
    return best.name, [name for name in wanted if name not in have], unknown
