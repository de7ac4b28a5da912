"""What Amazon QuickSight is to be asked for, so that it shows the clinical views: data sets (SPICE) and an analysis.

Nothing here calls AWS: the requests are printed, and whoever runs the account sends them. They are valid by the model
of the service that botocore brings along. **Not verified: on an account.** There is no emulator of QuickSight; expect
to adjust looks in the console.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nh_pipeline.model.table import Table
    from nh_pipeline.queries.view import View

_TYPES = {"VARCHAR": "STRING", "DATE": "DATETIME", "BOOLEAN": "BOOLEAN", "DOUBLE": "DECIMAL", "DECIMAL": "DECIMAL"}
"""QuickSight's types of DuckDB's, without their arguments; all others are whole numbers."""

_OF_OWNER = {
    "data set": (
        "DescribeDataSet DescribeDataSetPermissions PassDataSet DescribeIngestion ListIngestions UpdateDataSet "
        "DeleteDataSet CreateIngestion CancelIngestion UpdateDataSetPermissions"
    ),
    "analysis": (
        "RestoreAnalysis UpdateAnalysisPermissions DeleteAnalysis DescribeAnalysisPermissions QueryAnalysis "
        "DescribeAnalysis UpdateAnalysis"
    ),
}


@dataclass(frozen=True)
class Chart:
    """A chart on a view: measures by a category, in small multiples by currency where there is one.

    Attributes:
        sheet: on which it is.
        title: above it.
        view: without its database.
        category: the column of its bars, or of its slices.
        measures: columns that are summed up, or names of :data:`RATES`.
        kind: ``bar`` or ``pie``.
    """

    sheet: str
    title: str
    view: str
    category: str
    measures: tuple[str, ...]
    kind: str = "bar"


RATES = {
    "readmission_rate": ("v_readmission_rates", "sum({readmissions}) / sum({index_admissions})"),
    "overturn_share": ("v_claim_denials", "sum({overturned}) / sum({with_outcome})"),
}
"""Ratios of sums, computed by QuickSight for whatever it groups by: no mean of ratios."""

CHARTS = (
    Chart("Readmissions", "Readmitted within 30 days, by diagnosis category", "v_readmission_rates",
          "diagnosis_category", ("readmission_rate",)),
    Chart("Claims", "Billed and paid by payer, of decided claims", "v_claims_by_payer", "payer",
          ("billed_adjudicated", "total_paid")),
    Chart("Claims", "Diagnoses by billed amount", "v_top_cost_diag", "diagnosis", ("total_billed",)),
    Chart("Claims", "Payer mix by billed amount", "v_payer_mix", "payer_category", ("billed",), "pie"),
    Chart("Denials", "Denied amount by reason", "v_claim_denials", "denial_category", ("denied_amount",)),
    Chart("Denials", "Share of denials overturned, by payer", "v_claim_denials", "payer", ("overturn_share",)),
)  # fmt: skip


def requests(
    data_source: str, owner: str, *, views: Sequence[View], tables: Iterable[Table], prefix: str = ""
) -> dict[str, Any]:
    """The inputs of ``CreateDataSet``, one per view that a chart shows, and of ``CreateAnalysis``.

    Args:
        data_source: ARN of a data source of QuickSight on Athena.
        owner: ARN of the user or group that gets what is made.
        views: all that there are; charts on others are left out.
        tables: what the views are made of.
        prefix: what database names begin with.

    Raises:
        ValueError: the first is no such ARN.
    """
    _, _, service, region, account, resource = (*data_source.split(":", 5), *[""] * 6)[:6]
    if service != "quicksight" or not resource.startswith("datasource/"):
        raise ValueError(f"{data_source}: expected arn:aws:quicksight:<region>:<account>:datasource/<id>")
    shown = [view for view in views if _short(view) in {chart.view for chart in CHARTS}]
    columns = _columns(shown, views, tables)
    at = f"{data_source.partition(':quicksight:')[0]}:quicksight:{region}:{account}"
    sets = [
        {
            "AwsAccountId": account,
            "DataSetId": _id(prefix, _short(view)),
            "Name": prefix + view.name,
            "ImportMode": "SPICE",
            "PhysicalTableMap": {
                "view": {
                    "RelationalTable": {
                        "DataSourceArn": data_source,
                        "Catalog": "AwsDataCatalog",
                        "Schema": prefix + view.schema,
                        "Name": _short(view),
                        "InputColumns": [{"Name": name, "Type": kind} for name, kind in columns[_short(view)].items()],
                    }
                }
            },
            "Permissions": [_permission("data set", owner)],
        }
        for view in shown
    ]
    analysis = {
        "AwsAccountId": account,
        "AnalysisId": _id(prefix, "clinical"),
        "Name": f"{prefix}clinical",
        "Definition": {
            "DataSetIdentifierDeclarations": [
                {"Identifier": _short(view), "DataSetArn": f"{at}:dataset/{_id(prefix, _short(view))}"}
                for view in shown
            ],
            "CalculatedFields": [
                {"DataSetIdentifier": view, "Name": name, "Expression": expression}
                for name, (view, expression) in RATES.items()
                if view in columns
            ],
            "Sheets": _sheets(columns),
        },
        "Permissions": [_permission("analysis", owner)],
    }
    return {"data_sets": sets, "analysis": analysis}


def _short(view: View) -> str:
    return view.name.partition(".")[2]


def _id(prefix: str, name: str) -> str:
    return f"{prefix}{name}".replace("_", "-")


def _permission(on: str, owner: str) -> dict[str, Any]:
    return {"Principal": owner, "Actions": [f"quicksight:{action}" for action in _OF_OWNER[on].split()]}


def _columns(shown: Sequence[View], views: Sequence[View], tables: Iterable[Table]) -> dict[str, dict[str, str]]:
    """The columns of views with QuickSight's types, as DuckDB tells them on tables without rows."""
    db = duckdb.connect()
    for table in tables:
        db.execute(f"create schema if not exists {table.database}")
        columns = ", ".join(f'"{c.name}" {c.type.sql}' for c in table.columns)
        db.execute(f"create table {table.name} ({columns})")
    for view in views:
        db.execute(f"create schema if not exists {view.schema}")
        db.execute(view.statement)
    return {
        _short(view): {
            name: _TYPES.get(str(kind).partition("(")[0], "INTEGER")
            for name, kind, *_ in db.execute(f"describe {view.name}").fetchall()
        }
        for view in shown
    }


def _sheets(columns: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    charts = [chart for chart in CHARTS if chart.view in columns]
    return [
        {
            "SheetId": sheet.lower(),
            "Name": sheet,
            "Visuals": [
                _visual(f"{sheet.lower()}-{nth}", chart, columns[chart.view])
                for nth, chart in enumerate(charts, 1)
                if chart.sheet == sheet
            ],
        }
        for sheet in dict.fromkeys(chart.sheet for chart in charts)
    ]


def _visual(visual_id: str, chart: Chart, columns: dict[str, str]) -> dict[str, Any]:
    values = [_measure(f"{visual_id}-{name}", chart.view, name) for name in chart.measures]
    wells = {"Category": [_dimension(visual_id, chart.view, chart.category)], "Values": values}
    if "currency" in columns:
        wells["SmallMultiples"] = [_dimension(visual_id, chart.view, "currency")]
    least_last = {"FieldSort": {"FieldId": f"{visual_id}-{chart.measures[0]}", "Direction": "DESC"}}
    kind = {"bar": "BarChart", "pie": "PieChart"}[chart.kind]
    configuration: dict[str, Any] = {
        "FieldWells": {f"{kind}AggregatedFieldWells": wells},
        "SortConfiguration": {"CategorySort": [least_last]},
    }
    if chart.kind == "bar":
        configuration |= {"Orientation": "HORIZONTAL", "BarsArrangement": "CLUSTERED"}
    else:
        configuration["DonutOptions"] = {"ArcOptions": {"ArcThickness": "MEDIUM"}}
    title = {"Visibility": "VISIBLE", "FormatText": {"PlainText": chart.title}}
    return {f"{kind}Visual": {"VisualId": visual_id, "Title": title, "ChartConfiguration": configuration}}


def _dimension(visual_id: str, view: str, column: str) -> dict[str, Any]:
    identified = {"DataSetIdentifier": view, "ColumnName": column}
    return {"CategoricalDimensionField": {"FieldId": f"{visual_id}-{column}", "Column": identified}}


def _measure(field_id: str, view: str, column: str) -> dict[str, Any]:
    """A sum; a rate says itself how it is computed."""
    field: dict[str, Any] = {"FieldId": field_id, "Column": {"DataSetIdentifier": view, "ColumnName": column}}
    if column not in RATES:
        field["AggregationFunction"] = {"SimpleNumericalAggregation": "SUM"}
    return {"NumericalMeasureField": field}
