"""Fixtures of the tests that ask a server of DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nh_pipeline import failpoints
from nh_pipeline_tests.support.dynamodb import Extractions, Treatments, asked_of, dynalite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nh_pipeline.failpoints import Point
    from nh_pipeline_tests.support.aws_server import Aws


@pytest.fixture(scope="module")
def dynalite_port() -> Iterator[int]:
    with dynalite() as port:
        yield port


@pytest.fixture(params=["moto", pytest.param("dynalite", marks=pytest.mark.at_length)])
def server(request: pytest.FixtureRequest, aws: Aws) -> Aws:
    if request.param == "dynalite":
        asked_of(aws, request.getfixturevalue("dynalite_port"))
    return aws


@pytest.fixture
def made(server: Aws, tmp_path: Any) -> Callable[..., Extractions]:
    return lambda **how: Extractions(Treatments(server, **how), str(tmp_path / "lake"))


@pytest.fixture
def lake(made: Callable[..., Extractions]) -> Extractions:
    return made()


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Does something once, where an extraction reaches a point."""

    def once(point: Point, do: Callable[[], object]) -> None:
        todo = [do]

        def observer(reached: Point, _: str) -> None:
            if reached is point and todo:
                todo.pop()()

        monkeypatch.setattr(failpoints, "observer", observer)

    return once
