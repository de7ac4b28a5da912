"""Fixtures that several test modules use."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

import pytest
from coverage import Coverage
from hypothesis import is_hypothesis_test, settings

from nh_pipeline import cli, lake, landing, marts, pipeline, queries
from nh_pipeline.engines.spark import spark_session
from nh_pipeline.pipeline.recipe import forget_recipes
from nh_pipeline_tests.support.chain import workspace_at
from nh_pipeline_tests.support.drive_server import Drive, DriveServer
from nh_pipeline_tests.support.few import FEW
from nh_pipeline_tests.support.whole_lake import built_at

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from pyspark.sql import SparkSession

    from nh_pipeline.pipeline.context import BuildContext
    from nh_pipeline_tests.support.aws_server import Aws, AwsServer

REPOSITORY = Path(__file__).resolve().parent.parent

settings.register_profile("nh", deadline=None)  # machines that test are shared, and slow at times
settings.load_profile("nh")

FEW_MARTS = ("engine", "integration", "crash", "browser")
"""Folders whose tests build two marts alone, but for modules marked ``every_mart``."""

MEASURED = ("unit", "integration")
"""Folders whose tests count for coverage, but for those marked ``at_length`` and those of properties, of hundreds of
examples. Measured, Python takes half as long again; the other tests run the same code, in other orders, on other
engines or with faults."""


LONGEST = (
    "integration/test_stack.py",
    "integration/test_stack_away.py",
    "browser/test_dashboard_browser.py",
    "integration/test_cli.py",
    "crash/test_soak.py",
    "integration/test_drive_sensor.py",
    "crash/test_faults_kill.py",
    "integration/test_glue.py",
    "integration/test_aws_chain.py",
    "crash/test_faults_concurrent.py",
    "browser/test_browser.py",
    "integration/test_dashboard.py",
)
"""Files that begin before all others, where several processes test: none is left alone with one of them in the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    order = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


def pytest_collection_finish() -> None:
    """What commands import only when they run is measured, whichever test is the first one to run them."""
    if Coverage.current() is not None:
        for room in (cli, lake, landing, pipeline, queries):
            for module in walk_packages(room.__path__, f"{room.__name__}."):
                import_module(module.name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Coverage looks away while tests run that do not count for it."""
    measuring, folder = Coverage.current(), item.path.relative_to(Path(__file__).parent).parts[0]
    at_length = item.get_closest_marker("at_length") is not None or is_hypothesis_test(getattr(item, "obj", None))
    aside = measuring is not None and (folder not in MEASURED or at_length)
    if aside:
        measuring.stop()
    try:
        return (yield)
    finally:
        if aside:
            measuring.start()


@pytest.fixture(scope="module", autouse=True)
def marts_of_the_module(request: pytest.FixtureRequest) -> Iterator[None]:
    """The marts that the module's tests build."""
    folder = request.path.relative_to(Path(__file__).parent).parts[0]
    with pytest.MonkeyPatch.context() as patch:
        if folder in FEW_MARTS and not request.node.get_closest_marker("every_mart"):
            patch.setattr(marts, "MARTS", FEW)
        yield


@pytest.fixture
def code_changes() -> Iterator[Callable[[], None]]:
    """For tests that change declarations or code: to be called when they have."""
    yield forget_recipes
    forget_recipes()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real CMS files (``drop/``) and the figures to reach (``golden/``)."""
    root = Path(os.environ.get("NH_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (root / "drop").is_dir():
        pytest.skip(f"no real CMS files in {root}: set NH_TEST_DATA to the folder that holds drop/ and golden/")
    return root


@pytest.fixture(scope="session")
def field() -> Path:
    """Files as people really have them, a folder for each kind."""
    root = Path(os.environ.get("NH_TEST_FIELD", REPOSITORY.parent / "shared" / "field"))
    if not root.is_dir():
        pytest.skip(f"no specimens in {root}: set NH_TEST_FIELD to the folder that holds them")
    return root


@pytest.fixture(scope="session")
def engine() -> SparkSession:
    """The Sail session that all tests of this process share."""
    return spark_session("sail")


@pytest.fixture(scope="session")
def whole_lake(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The home of a lake with every table (``support/whole_lake.py``), to be read only."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # each process has a folder below the run's
    return built_at(shared / "whole", lambda: request.getfixturevalue("engine"))


@pytest.fixture(scope="module")
def drop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all deliveries of the module's ``PLAN``, or those that begin as its ``OF_PLAN`` says."""
    folder = tmp_path_factory.mktemp("drop")
    for path in request.module.PLAN.write(folder):
        if not path.name.startswith(getattr(request.module, "OF_PLAN", "")):
            path.unlink()
    return folder


@pytest.fixture
def drive_server() -> Iterator[DriveServer]:
    """An empty Google Drive folder on loopback."""
    with DriveServer(Drive()) as server:
        yield server


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AwsServer]:
    """AWS on loopback: one server for all tests of a process, with an account for each."""
    import botocore.session

    from nh_pipeline_tests.support.aws_server import AwsServer

    with AwsServer() as server, pytest.MonkeyPatch.context() as patch:
        # Each of the many sessions would read the descriptions of all services anew.
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield server


@pytest.fixture
def aws(aws_server: AwsServer) -> Iterator[Aws]:
    """A fresh account with a bucket; the environment is set to it, and NH_HOME to a place in the bucket."""
    from nh_pipeline_tests.support.aws_server import signed_in

    with signed_in(aws_server) as account:
        yield account


@pytest.fixture
def workspace(engine, tmp_path_factory) -> Callable[[], BuildContext]:
    """Makes workspaces, each with an empty lake of its own."""
    return lambda: workspace_at(tmp_path_factory.mktemp("lake"), engine)
