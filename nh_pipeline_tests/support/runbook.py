"""The runbooks: what one sees, and what to do, as their pages say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^```(text|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """A situation.

    Attributes:
        seen: what is said, a text each; ``…`` stands for anything.
        commands: what to do, in order.
    """

    seen: tuple[str, ...]
    commands: tuple[str, ...]


def not_said(quoted: Iterable[str], told: str) -> list[str]:
    """What is quoted and not in a text, wherever that breaks its lines."""
    told = " ".join(told.split())
    patterns = {one: re.escape(" ".join(one.split())).replace("…", ".*?") for one in quoted}
    return [one for one, pattern in patterns.items() if not re.search(pattern, told)]


def _entry(text: str) -> Entry:
    blocks = _BLOCK.findall(text)
    commands = tuple(line for form, block in blocks if form == "sh" for line in block.splitlines())
    return Entry(tuple(block for form, block in blocks if form == "text"), commands)


def _page(name: str) -> dict[str, Entry]:
    _, *sections = re.split(r"^## ", (_DOCS / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: _entry(text) for title, _, text in (section.partition("\n") for section in sections)}


RUNBOOK, CLINICAL = _page("runbook.md"), _page("runbook-clinical.md")
"""Entries of the pages, by their titles."""
