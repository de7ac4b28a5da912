"""The documentation says what is the case: dictionary, links, commands, make targets."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from nh_pipeline.cli import main as cli
from nh_pipeline.cli.dictionary import dictionary
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])
TOLD = [REPOSITORY / "README.md", DOCS / "cli.md", DOCS / "runbook-clinical.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.fixture(params=PAGES, ids=name)
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings."""
    titles = re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path, text: str) -> list[str]:
    """Relative links that lead nowhere, or out of the repository."""
    found = []
    for link in LINK.findall(FENCE.sub("", text)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        there = target.is_relative_to(REPOSITORY) and target.exists()
        if not there or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


def code(text: str) -> Iterator[str]:
    """Lines of code of a page, and code within its sentences, shell variables and paths before the command left out."""
    for block in FENCE.findall(text):
        if not block.startswith("```mermaid"):
            yield from block.splitlines()[1:-1]
    rest = FENCE.sub("", text)
    yield from (line.strip() for line in rest.splitlines() if line.startswith("    "))
    yield from re.findall(r"`([^`\n]+)`", rest)


def commands(text: str) -> list[list[str]]:
    """Every ``nh …`` of a page, as words after ``nh`` (words in quotes, and comments, are left out)."""
    found = []
    for line in code(text):
        match = re.match(r"(?:\.venv/bin/)?nh\s+(.+)", line.strip())
        if match:
            found.append(re.sub(r"\"[^\"]*\"?|\s#.*", " ", match[1]).split())
    return found


def wrong_command(app: Any, words: list[str]) -> str:
    """What a command line of the documentation has that the app does not; nothing if all is well."""
    command, options = app, {o for p in app.params for o in p.opts}
    waiting = False
    for word in words:
        if word.startswith("--"):
            if word not in options:
                return f"nh {' '.join(words)}: no option {word}"
            waiting = True
        elif hasattr(command, "commands") and not waiting:
            if word not in command.commands:
                return "" if word in ("…", "COMMAND") else f"nh {' '.join(words)}: no command {word}"
            command = command.commands[word]
            options = {o for p in command.params for o in p.opts} | {"--help"}
        else:
            waiting = False
    return ""


def app() -> Any:
    return get_command(cli.app)


def test_the_committed_dictionary_is_the_generated_one() -> None:
    committed = (DOCS / "data-dictionary.md").read_text(encoding="utf-8")
    assert committed == dictionary(), "python -m nh_pipeline.cli.dictionary > docs/data-dictionary.md"


def test_the_dictionary_has_every_column_of_every_table() -> None:
    text = dictionary()
    for contract in tables():
        section = text.partition(f"\n## {contract.name}\n")[2].partition("\n## ")[0]
        line = r"^\| `(\w+)`(?: to `(\w+)`)? \| [a-z]+(?:\([0-9,]+\))? \| (?:yes|no) \|"
        told = [name for first, last in re.findall(line, section, re.MULTILINE) for name in counted(first, last)]
        assert sorted(told) == sorted(contract.names)
        assert [name for name in contract.names if not name[-1].isdigit()] == [n for n in told if not n[-1].isdigit()]


def counted(first: str, last: str) -> list[str]:
    """The columns from ``taxonomy_1`` to ``taxonomy_15``."""
    name, _, most = last.rpartition("_")
    return [f"{name}_{n}" for n in range(1, int(most) + 1)] if last else [first]


def test_the_dictionary_follows_its_arguments() -> None:
    other = replace(FACILITY_MEASURES, sort=("provider_id",), foreign_keys=())
    text = dictionary([other], [])
    assert "sorted by: `provider_id`\n" in text
    assert "refers to" not in text
    assert "## silver." not in text


def test_relative_links_lead_to_something(page: Path) -> None:
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found() -> None:
    text = "[a](nowhere.md) [b](../outside.md) [c](README.md#nothing) [d](README.md#licence) [e](#gold)\n# Gold"
    page = REPOSITORY / "README.md"
    assert broken_links(page, text) == ["nowhere.md", "../outside.md", "README.md#nothing", "#gold"]


@pytest.mark.parametrize("page", TOLD, ids=name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    found = commands(page.read_text(encoding="utf-8"))
    assert len(found) >= 5
    assert [wrong for words in found if (wrong := wrong_command(app(), words))] == []


@pytest.mark.parametrize("line", ["nh bogus", "nh query --nope x", "nh --nope status", "nh sample --json"])
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    assert all(wrong_command(app(), words) for words in commands(f"`{line}`"))
    assert commands(f"`{line}`")


def test_every_command_and_option_is_documented() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    for command, found in app().commands.items():
        section = text.partition(f"\n## nh {command}\n")[2].partition("\n## ")[0]
        assert section, f"docs/cli.md has no section on nh {command}"
        parts = [found, *getattr(found, "commands", {}).values()]
        options = {o for part in parts for p in part.params for o in p.opts if o.startswith("--")} - {"--help"}
        assert {name for name in getattr(found, "commands", {}) if f"nh {command} {name}" not in section} == set()
        assert {o for o in options if f"`{o}`" not in section} == set()


def test_every_make_target_that_is_named_exists(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    lines = list(code(page.read_text(encoding="utf-8")))
    named = {m[1] for line in lines if (m := re.match(r"(?:\w+=\S+ )?make +([a-z]+)", line.strip()))}
    assert named <= targets


def test_the_readme_names_its_two_commands() -> None:
    assert {"make demo", "make test"} <= {line.partition("#")[0].strip() for line in code(TOLD[0].read_text("utf-8"))}


def test_settings_are_those_of_the_code() -> None:
    table = TOLD[0].read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `(NH_\w+)` \|", table, re.MULTILINE))
    assert told == {f"NH_{field.upper()}" for field in Settings.model_fields}


def test_pages_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"[\w/.-]+\.md\b", page.read_text(encoding="utf-8")))
    known = {p.name for p in PAGES}
    assert {n for n in named if n.rpartition("/")[2] not in known} == set()


def test_a_link_to_another_site_is_whole(page: Path) -> None:
    sites = [link for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))) if "://" in link]
    assert [link for link in sites if not re.fullmatch(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+/[\w./#-]*", link)] == []
