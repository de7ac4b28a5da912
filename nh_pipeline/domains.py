"""Which domains of the data a process knows: ``cms`` (public), ``clinical`` and ``treatments`` (protected).

``NH_DOMAINS`` chooses them, so that what is protected can be served by a process of its own: another one has no assets,
tables or pages of it. Read from the environment itself, since declarations ask, which know no settings.
"""

from __future__ import annotations

import os

DOMAINS = ("cms", "clinical", "treatments")

PROTECTED = DOMAINS[1:]
"""Domains of data of people."""

VARIABLE = "NH_DOMAINS"


def selected() -> tuple[str, ...]:
    """The domains of this process; all, unless ``NH_DOMAINS`` names some, with commas between them.

    Raises:
        ValueError: it names an unknown one.
    """
    named = tuple(filter(None, (name.strip() for name in os.environ.get(VARIABLE, "").split(","))))
    unknown = [name for name in named if name not in DOMAINS]
    if unknown:
        raise ValueError(f"{VARIABLE} names {', '.join(unknown)}: expected some of {', '.join(DOMAINS)}, or nothing")
    return named or DOMAINS


def domain_of(database: str) -> str:
    """The domain of a database: ``clinical`` of ``clinical_silver``; ``cms`` of ``silver``."""
    begins = database.partition("_")[0]
    return begins if begins in DOMAINS else DOMAINS[0]
