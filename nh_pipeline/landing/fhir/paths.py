"""The language of paths that views are written in, compiled to functions on decoded JSON.

What belongs here: what a path means (:mod:`nh_pipeline.model.view` lists its forms). Not here: what a column makes of
what a path finds (:mod:`nh_pipeline.landing.fhir.fields`).

A path works on a collection, as in FHIRPath: lists are flattened, and what has another shape than the path expects is
passed over. ``where`` keeps an element if any of the values on its path is the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Find = Callable[[Any], Any]

ROOTS = ("$this", "%resource", "%parent")
"""What a path may start from: the element itself, its resource, and what it lies in."""

_STEP = re.compile(
    r"ofType\((?P<type>\w+)\)|where\((?P<path>[\w.]+) = '(?P<text>[^']*)'\)|extension\('(?P<url>[^']*)'\)"
    r"|\[(?P<index>[0-9]+)\]|(?P<name>\w+)(?![\w(])"
)


@dataclass(frozen=True)
class Name:
    """The elements of a name."""

    name: str


@dataclass(frozen=True)
class Where:
    """Those for which a value on a path is a text."""

    path: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class At:
    """The one at a place, from 0."""

    index: int


Step = Name | Where | At


@dataclass(frozen=True)
class Path:
    """A path, read.

    Attributes:
        written: as a view has it.
        root: what it starts from: a place in :data:`ROOTS`.
        steps: from there.
        choices: the choice elements that it asks for, with the names that lead there: ``((), "value")``.
    """

    written: str
    root: int
    steps: tuple[Step, ...]
    choices: tuple[tuple[tuple[str, ...], str], ...] = ()

    @cached_property
    def every(self) -> Callable[[Any], list[Any]]:
        """All that it finds in an element, in order."""
        if len(self.steps) == 1 and isinstance(self.steps[0], Name):
            name = self.steps[0].name  # most are
            return lambda element: _listed(element.get(name)) if type(element) is dict else []
        steps = [_every(step) for step in self.steps]

        def find(element: Any) -> list[Any]:
            found = [element]
            for step in steps:
                found = step(found)
            return found

        return find

    def first(self, then: Find) -> Find:
        """The first of what ``then`` makes of what it finds that is not None."""
        for place in reversed(range(len(self.steps))):
            step = self.steps[place]
            if isinstance(step, At):
                before = Path(self.written, self.root, self.steps[:place])
                return _at(before.every, step.index, then)
            then = _named(step.name, then) if isinstance(step, Name) else _kept(step, then)
        return then


def parse(written: str) -> Path:
    """Reads a path.

    Raises:
        ValueError: It is not of the language.
    """
    root, rest = 0, written
    steps: list[Step] = []
    choices: list[tuple[tuple[str, ...], str]] = []
    for place, name in enumerate(ROOTS):
        if written == name or written.startswith(f"{name}."):
            root, rest = place, written[len(name) + 1 :]
    while rest:
        found = _STEP.match(rest)
        if found is None:
            raise ValueError(f"{written}: not in the language of paths from {rest!r} on")
        rest = rest[found.end() :].removeprefix(".")
        if found["type"]:
            last = steps.pop() if steps else None
            if not isinstance(last, Name):
                raise ValueError(f"{written}: ofType follows the name of a choice element")
            choices.append((tuple(step.name for step in steps if isinstance(step, Name)), last.name))
            steps.append(Name(choice_key(last.name, found["type"])))
        elif found["path"]:
            steps.append(Where(tuple(found["path"].split(".")), found["text"]))
        elif found["url"] is not None:
            steps += [Name("extension"), Where(("url",), found["url"])]
        elif found["index"]:
            steps.append(At(int(found["index"])))
        else:
            steps.append(Name(found["name"]))
    return Path(written, root, tuple(steps), tuple(choices))


def choice_key(name: str, type_name: str) -> str:
    """What a choice element is called in JSON if it has a type: ``valueQuantity``."""
    return name + type_name[0].upper() + type_name[1:]


def text(found: Any) -> str | None:
    """A value as written: the decoder leaves decimals as text."""
    if type(found) is str:
        return found
    if type(found) is bool:
        return "true" if found else "false"
    return str(found) if type(found) is int else None


def element(found: Any) -> dict[str, Any] | None:
    """What has elements of its own."""
    return found if type(found) is dict else None


def _listed(found: Any) -> list[Any]:
    return [one for one in found if one is not None] if type(found) is list else [] if found is None else [found]


def _every(step: Step) -> Callable[[list[Any]], list[Any]]:
    if isinstance(step, Name):
        name = step.name
        return lambda found: [one for e in found if type(e) is dict for one in _listed(e.get(name))]
    if isinstance(step, At):
        index = step.index
        return lambda found: found[index : index + 1]
    holds = _holds(step)
    return lambda found: [one for one in found if holds(one)]


def _holds(where: Where) -> Find:
    wanted = where.text
    return Path("", 0, tuple(Name(name) for name in where.path)).first(lambda found: text(found) == wanted or None)


def _kept(where: Where, then: Find) -> Find:
    holds = _holds(where)
    return lambda found: then(found) if holds(found) else None


def _at(every: Callable[[Any], list[Any]], index: int, then: Find) -> Find:
    def find(parent: Any) -> Any:
        found = every(parent)
        return then(found[index]) if len(found) > index else None

    return find


def _named(name: str, then: Find) -> Find:
    if then is text:
        return _text(name)

    def find(parent: Any) -> Any:
        if type(parent) is not dict or (found := parent.get(name)) is None:
            return None
        if type(found) is not list:
            return then(found)
        for one in found:
            if one is not None and (result := then(one)) is not None:
                return result
        return None

    return find


def _text(name: str) -> Find:
    """As :func:`_named`, for what most columns are: a text."""

    def find(parent: Any) -> str | None:
        found = parent.get(name) if type(parent) is dict else None
        if found is None or type(found) is str:
            return found
        if type(found) is list:
            return next((told for one in found if (told := text(one)) is not None), None)
        return text(found)

    return find
