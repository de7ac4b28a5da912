"""Whatever decides a result is in the recipe, also where a transform takes it from objects of ours."""

from __future__ import annotations

from dataclasses import replace

from nh_pipeline.marts.reconciliation import mart
from nh_pipeline.marts.reconciliation.figure import Figure
from nh_pipeline.pipeline.recipe import recipe


def test_a_mended_rule_is_another_recipe(monkeypatch, code_changes):
    before = recipe(mart.RECONCILIATION)
    first, *others = mart.SUBJECTS
    figure, *figures = first.figures
    mended = replace(first, figures=(replace(figure, ours=f"{figure.ours} + 0"), *figures))
    with monkeypatch.context() as patch:
        patch.setattr(mart, "SUBJECTS", (mended, *others))
        code_changes()
        assert recipe(mart.RECONCILIATION) != before
    code_changes()
    assert recipe(mart.RECONCILIATION) == before


def test_a_mended_method_is_another_recipe(monkeypatch, code_changes):
    before = recipe(mart.RECONCILIATION)

    def theirs_sql(self: Figure) -> str:
        return f"cast(({self.column}) as double)"

    theirs_sql.__module__ = Figure.__module__
    monkeypatch.setattr(Figure, "theirs_sql", property(theirs_sql))
    code_changes()
    assert recipe(mart.RECONCILIATION) != before
