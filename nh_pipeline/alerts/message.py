"""What a person must know, what of it is news, and the message that says so.

A message holds names of tables, checks, jobs and datasets, ids, counts and times: nothing that a delivery holds, no
name of a file, and no text of an error, any of which may be protected or secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_LINES = 20
"""Of what is new, and of what is well again, in one message."""


class Concern(BaseModel, frozen=True):
    """Something that a person must know.

    Attributes:
        what: which run, check, delivery or sensor. Whatever has the same name is the same concern.
        why: what is wrong with it, in a line. It is told again when this changes.
        since: when it was seen first.
        look: the command, or the address, that shows more.
        forgotten_at: when it is no longer looked at, for what nothing may ever tell to be over.
    """

    what: str
    why: str
    since: AwareDatetime
    look: str
    forgotten_at: AwareDatetime | None = None

    @property
    def line(self) -> str:
        """All of it."""
        return f"{self.what}: {self.why}, since {self.since:%Y-%m-%d %H:%M} UTC. {self.look}"


@dataclass(frozen=True)
class News:
    """What has come up, or has changed, and what is well again."""

    new: tuple[Concern, ...] = ()
    over: tuple[Concern, ...] = ()

    @classmethod
    def between(cls, told: Mapping[str, Concern], now: Iterable[Concern]) -> News:
        """What is to be told by now, of which some was told before."""
        current = {concern.what: concern for concern in now}
        new = (c for c in current.values() if c.what not in told or told[c.what].why != c.why)
        at = datetime.now(tz=timezone.utc)
        gone = (c for what, c in told.items() if what not in current)
        return cls(tuple(new), tuple(c for c in gone if c.forgotten_at is None or c.forgotten_at > at))

    def __bool__(self) -> bool:
        return bool(self.new or self.over)

    def subject(self, home: str) -> str:
        """In a few words, with the lake that it is about."""
        counts = ((len(self.new), "new"), (len(self.over), "well again"))
        return f"nh, {home}: {', '.join(f'{n} {what}' for n, what in counts if n)}"

    def text(self, home: str) -> str:
        """The message: a line for each."""
        lines = [self.subject(home), *_cut([f"- {c.line}" for c in self.new])]
        return "\n".join([*lines, *_cut([f"- well again: {c.what}" for c in self.over])])


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"- and {more} more: nh alerts show"] if more > 0 else lines
