"""Dagster's instance below a lake: its configuration follows the lake, is renewed, and is made once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nh_pipeline.orchestration.instance_config import _CONFIG, _OLDER, _ONE_AT_A_TIME, one_at_a_time, settle
from nh_pipeline_tests.support.local import Nh


@pytest.mark.integration
def test_the_instance_follows_the_lake(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    with Nh(a).instance as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
        instance.add_dynamic_partitions("p", ["x"])
    a.rename(b)
    with Nh(b).instance as instance:
        assert instance.get_dynamic_partitions("p") == ["x"]
        assert str(a) not in str(instance.get_ref())
    assert not a.exists()
    assert str(a) not in (b / "dagster" / "dagster.yaml").read_text()


@pytest.mark.integration
def test_an_older_configuration_is_renewed_and_an_edited_one_is_not(tmp_path):
    home, old = tmp_path / 'b "ü" 🏥' / "dagster", tmp_path / "a" / "dagster"
    home.mkdir(parents=True)
    config = home / "dagster.yaml"
    older = _OLDER[1].format(home=old)
    config.write_text(older)
    settle(home)
    written = config.read_text()
    assert written.endswith(_ONE_AT_A_TIME)
    with Nh(home.parent).instance as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
        assert Path(instance.event_log_storage._base_dir) == home / "history" / "runs"
    stamp = config.stat().st_mtime_ns
    settle(home)
    assert (config.read_text(), config.stat().st_mtime_ns) == (written, stamp)
    edit = "retention: {schedule: {purge_after_days: 90}}  # mine\n"
    config.write_text(older + edit)
    config.chmod(0o600)
    settle(home)
    assert config.read_text() == _OLDER[1].format(home=json.dumps(str(home), ensure_ascii=False)[1:-1]) + edit
    assert config.stat().st_mode & 0o777 == 0o600
    mine = "telemetry:\n  enabled: false\nevent_log_storage: {module: m, class: C, config: {base_dir: /fast/events}}\n"
    config.write_text(mine)
    settle(home)
    assert config.read_text() == mine
    assert [p.name for p in home.iterdir() if p.suffix == ".partial"] == []


@pytest.mark.integration
@pytest.mark.parametrize("quote", ["", '"', "'"])
@pytest.mark.parametrize("edit", ["", "retention: {schedule: {purge_after_days: 90}}  # mine\n"])
def test_an_instance_that_names_the_event_log_where_it_was_opens(tmp_path, quote, edit):
    home = tmp_path / "dagster"
    home.mkdir()
    before = f"module: {quote}nh_pipeline.event_log{quote}\n"
    after = f"module: {quote}nh_pipeline.orchestration.event_log{quote}\n"
    now = _CONFIG.format(home=home).replace("module: nh_pipeline.orchestration.event_log\n", after)
    (home / "dagster.yaml").write_text(now.replace(after, before) + edit)
    settle(home)
    assert (home / "dagster.yaml").read_text() == now + edit
    with Nh(tmp_path).instance as instance:
        assert type(instance.event_log_storage).__name__ == "BatchingSqliteEventLogStorage"


def test_an_instance_beside_which_nothing_can_be_written_is_as_it_is(tmp_path):
    (tmp_path / "opening.lock").mkdir()  # SQLite cannot open it, as if it might not write there
    with one_at_a_time(tmp_path):
        assert [p.name for p in tmp_path.iterdir()] == ["opening.lock"]


def test_first_starts_at_once(tmp_path):
    for n in range(20):
        home = tmp_path / str(n)
        home.mkdir()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _, h=home: settle(h), range(8)))
        assert [p.name for p in home.iterdir()] == ["dagster.yaml"]
        assert (home / "dagster.yaml").read_text().endswith(_ONE_AT_A_TIME)
