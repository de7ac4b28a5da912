"""The way it is often written: Python functions for each value on JVM Spark, and keys that windows number.

``python -m benchmarks.naive_treatments ZIP OUT`` makes the star schema and the seven tables of an export, without
checks, lineage, commits, or a key that is the same in the next build. Prints seconds of wall, and of CPU of this
process, the JVM and its workers, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, TimestampType

from benchmarks.by_hand_treatments import ATTRIBUTES
from nh_pipeline.datasets.treatments.outcomes import OUTCOMES
from nh_pipeline.engines.spark import spark_config

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_TYPES = {
    "treatment_duration_in_days": "int", "treatment_cost": "decimal(18,2)", "patient_age": "int",
    "disease_mortality_rate": "decimal(9,4)",
    **{f"{of}_id": "bigint" for of in (*ATTRIBUTES, "provider_speciality", "disease_speciality") if of != "metadata"},
}  # fmt: skip
_TIMES = tuple(f"treatment_{of}_date" for of in ("start", "completion", "outcome"))
_DIMENSIONS: dict[str, tuple[str, ...]] = {
    "types": ("treatment_type", "treatment_outcome_status", "outcome_class"),
    "locations": ("location_id", "location_country", "location_state", "location_city"),
    "specialities": ("provider_speciality_id", "provider_speciality_name"),
    "providers": ("provider_id", "provider_full_name", "provider_affiliated_hospital"),
    "patients": ("patient_id", "patient_full_name", "patient_gender"),
    "diseases": (
        "disease_id", "disease_name", "disease_type", "disease_severity", "disease_transmission_mode",
        "disease_mortality_rate",
    ),
}  # fmt: skip


def _plain(value: Any) -> Any:
    """A value without the types of DynamoDB."""
    ((kind, inner),) = value.items()
    if kind == "M":
        return {name: _plain(one) for name, one in inner.items()}
    return [_plain(one) for one in inner] if kind == "L" else None if kind == "NULL" else inner


@F.udf(StringType())
def _item(line: str) -> str:
    return json.dumps({name: _plain(value) for name, value in json.loads(line)["Item"].items()})


@F.udf(TimestampType())
def _at(written: str | None) -> datetime | None:
    if not written:
        return None
    if written.replace(".", "").isdigit():
        return datetime.fromtimestamp(float(written) / 1000, timezone.utc)
    at = datetime.fromisoformat(written)
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


@F.udf(StringType())
def _outcome(status: str | None, completed: datetime | None) -> str:
    words = " ".join((status or "").lower().split())
    known = (name for name, said in OUTCOMES.items() if words in said)
    return next(known, "open" if not words and completed is None else "unknown")


def build(archive: Path, out: Path) -> dict[str, float]:
    """Builds all tables as Parquet files."""
    with zipfile.ZipFile(archive) as export:
        export.extractall(out, [name for name in export.namelist() if "/data/" in name])
    builder = SparkSession.builder
    for key, value in spark_config("jvm").items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()

    def kept(name: str, rows: DataFrame) -> DataFrame:
        rows.write.mode("overwrite").parquet(f"{out}/{name}")
        return spark.read.parquet(f"{out}/{name}")

    lines = spark.read.text([str(path) for path in out.rglob("data/*.json.gz")])
    bronze = kept("bronze", lines.select(_item("value").alias("item")))
    nested = spark.read.json(bronze.rdd.map(lambda row: row.item))
    silver = kept("silver", _silver(nested))
    dimensions = {name: kept(f"dim_{name}", _numbered(silver, name, of)) for name, of in _DIMENSIONS.items()}
    days = kept("dim_dates", _days(silver))
    facts = kept("fact", _fact(silver, dimensions))
    for name, rows in _tables(facts, dimensions, days).items():
        kept(name, rows)
    return _cpu()


def _silver(nested: DataFrame) -> DataFrame:
    flat = nested.select(
        *(
            (F.col(f"{of}.{name}") if name in nested.select(f"{of}.*").columns else F.lit(None)).alias(f"{of}_{name}")
            for of, named in ATTRIBUTES.items()
            for name in named.split()
        )
    )
    times = {*_TIMES, "metadata_added_at", "metadata_modified_at"}
    typed = flat.select(
        *((_at(c) if c in times else F.col(c).cast(_TYPES.get(c, "string"))).alias(c) for c in flat.columns),
        _outcome("treatment_outcome_status", _at("treatment_completion_date")).alias("outcome_class"),
    )
    nth = F.row_number().over(Window.partitionBy("treatment_id").orderBy(F.desc("metadata_modified_at")))
    return typed.withColumn("nth", nth).where("nth = 1").drop("nth")


def _numbered(silver: DataFrame, name: str, columns: tuple[str, ...]) -> DataFrame:
    rows = silver.select(*columns).dropDuplicates()
    return rows.withColumn(f"{name}_sk", F.dense_rank().over(Window.orderBy(*columns)))


def _fact(silver: DataFrame, dimensions: dict[str, DataFrame]) -> DataFrame:
    fact = silver
    for name, columns in _DIMENSIONS.items():
        members = dimensions[name].select(f"{name}_sk", *(F.col(c).alias(f"_{c}") for c in columns))
        fact = fact.join(members, [fact[c].eqNullSafe(members[f"_{c}"]) for c in columns], "left")
    dates = (F.date_format(column, "yyyyMMdd").cast("int").alias(f"{column}_sk") for column in _TIMES)
    numbers = ("treatment_duration_in_days", "treatment_cost", "patient_age")
    return fact.select("treatment_id", *(f"{name}_sk" for name in dimensions), *dates, *numbers)


def _days(silver: DataFrame) -> DataFrame:
    days = silver.select(F.explode(F.array(*(F.to_date(c) for c in _TIMES))).alias("date")).where("date is not null")
    return days.distinct().selectExpr(
        "cast(date_format(date, 'yyyyMMdd') as int) as date_sk", "date", "month(date) as month", "year(date) as year"
    )


def _tables(fact: DataFrame, of: dict[str, DataFrame], days: DataFrame) -> dict[str, DataFrame]:
    providers = fact.join(of["providers"], "providers_sk").join(of["types"], "types_sk")
    by = providers.groupBy("provider_id", "provider_full_name")
    rates = by.agg(*_counts()).withColumn("success_rate", F.expr("successes / decided"))
    months = fact.join(days, fact["treatment_start_date_sk"] == days["date_sk"], "left").join(of["types"], "types_sk")
    places = ("location_country", "location_state", "location_city")
    cities = fact.join(of["locations"], "locations_sk").groupBy(*places).agg(F.count("*").alias("total"))
    return {
        "provider_treatment_rank": rates.withColumn("rank", F.rank().over(Window.orderBy(F.desc("total")))),
        "provider_success_rate_rank": rates.withColumn("rank", F.rank().over(Window.orderBy(F.desc("success_rate")))),
        "monthly_treatment_trends": months.groupBy("year", "month").agg(*_counts()),
        "geographical_treatment_distribution": cities.withColumn("share", F.expr("total / sum(total) over ()")),
        "summary_avg_treatment_cost": by.agg(F.sum("treatment_cost").alias("total"), F.avg("treatment_cost")),
        "summary_total_treatments_per_city": cities,
        "summary_provider_success_rates": rates,
    }


def _counts() -> list[Column]:
    told = {"decided": "('success', 'failure')", "successes": "('success')"}
    cases = (f"count(case when outcome_class in {of} then 1 end) as {name}" for name, of in told.items())
    return [F.expr(sql) for sql in ("count(1) as total", *cases)]


def _cpu() -> dict[str, float]:
    """Seconds of this process and all that it has started."""
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return {"cpu": sum(t.user + t.system + t.children_user + t.children_system for t in times)}


def main(archive: str, out: str) -> None:
    """An export into a new folder."""
    folder, started = Path(out), time.perf_counter()
    folder.mkdir()
    found = build(Path(archive), folder)
    sys.stdout.write(json.dumps({**found, "wall": time.perf_counter() - started}))


if __name__ == "__main__":
    main(*sys.argv[1:])
