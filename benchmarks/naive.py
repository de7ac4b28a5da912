"""The way it is often written: append, keep the latest by a window, one session per step.

``python -m benchmarks.naive STEP OUT [FILE or DROP]`` runs one step on JVM Spark: ``bronze`` appends a staffing file
with its load time; ``silver`` reads all of bronze, casts, keeps the row that was loaded last per facility and day, and
overwrites; ``gold`` joins all of silver with the latest provider and claims files, and overwrites. No history, no
rejects, no checks, no commits.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from nh_pipeline.datasets.cms.daily_nurse_staffing import ROLLUPS
from nh_pipeline.datasets.cms.medicare_claims import MEASURES
from nh_pipeline.datasets.headers import canonical_header
from nh_pipeline.engines.spark import spark_config
from nh_pipeline.marts.facility_measures import HPRD
from nh_pipeline_tests.support.declared import DATASETS, HOUR_COLUMNS

_RENAMED = ("ownership_type", "certified_beds", "overall_rating", "staffing_rating")


def _session() -> SparkSession:
    builder = SparkSession.builder
    for key, value in spark_config("jvm").items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _csv(spark: SparkSession, file: Path, dataset: str) -> DataFrame:
    rows = spark.read.csv(str(file), header=True, encoding="windows-1252")
    header = canonical_header(DATASETS[dataset], rows.columns)
    return rows.toDF(*(name or f"extra_{i}" for i, name in enumerate(header.columns)))


def bronze(out: Path, file: Path) -> None:
    """Appends one staffing file."""
    rows = _csv(_session(), file, "daily_nurse_staffing").withColumn("loaded_at", F.current_timestamp())
    rows.write.mode("append").parquet(str(out / "bronze"))


def silver(out: Path) -> None:
    """Everything again, the latest row of each key."""
    rows = _session().read.parquet(str(out / "bronze"))
    latest = F.row_number().over(Window.partitionBy("provider_id", "work_date").orderBy(F.desc("loaded_at")))
    typed = (
        rows.withColumn("nth", latest)
        .where("nth = 1")
        .select(
            "provider_id",
            F.to_date("work_date", "yyyyMMdd").alias("work_date"),
            "cy_qtr",
            "state",
            F.col("census").cast("int").alias("census"),
            *(F.col(c).cast("decimal(9,2)").alias(c) for c in HOUR_COLUMNS),
        )
    )
    sums = {name: " + ".join(f"hrs_{job}" for job in jobs) for name, (_, jobs) in ROLLUPS.items()}
    added = typed.select("*", *(F.expr(sql).alias(name) for name, sql in sums.items()))
    added.write.mode("overwrite").parquet(str(out / "silver"))


def gold(out: Path, drop: Path) -> None:
    """Everything again, beside the latest attributes."""
    spark = _session()
    providers = _csv(spark, next(drop.glob("NH_ProviderInfo*.csv")), "providers")
    claims = _csv(spark, next(drop.glob("NH_QualityMsr_Claims*.csv")), "medicare_claims")
    measures = claims.groupBy("provider_id").agg(
        *(
            F.max(F.when(F.col("measure_code") == code, F.col("adjusted_score").cast("double"))).alias(name)
            for code, name in MEASURES.items()
        )
    )
    attributes = providers.select("provider_id", "provider_name", *_RENAMED)
    facts = spark.read.parquet(str(out / "silver"))
    joined = facts.join(attributes, "provider_id", "left").join(measures, "provider_id", "left")
    rates = (F.expr(f"case when census > 0 then {h} / census end").alias(n) for n, h in HPRD.items())
    joined.select("*", *rates).write.mode("overwrite").parquet(str(out / "gold"))


def main(step: str, *paths: str) -> None:
    """One step in a session of its own."""
    {"bronze": bronze, "silver": silver, "gold": gold}[step](*map(Path, paths))


if __name__ == "__main__":
    main(*sys.argv[1:])
