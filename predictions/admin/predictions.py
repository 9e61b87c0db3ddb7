"""Admin pages for predictions: ball probabilities compared to the uniform distribution."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from predictions.admin.prediction_charts import probability_charts
from predictions.distributions.components import UNIFORM_LOG_LOSS, components_from_json
from predictions.models import Prediction
from predictions.powerball import CURRENT_ERA
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import (
    EMPTY,
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
)


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdminMixin, RememberedFiltersAdmin):
    list_display = [
        "mode",
        date_column("draw_date"),
        date_column("draws_through"),
        "loss",
        datetime_column("evaluated_at", "evaluated"),
        datetime_column("created_at", "created"),
    ]
    date_hierarchy = "draw_date"
    list_filter = ["mode", DrawDateFilter, ("created_at", admin.DateFieldListFilter)]
    fields = [
        "mode",
        "draw_date",
        "draws_through",
        "model",
        "run",
        "note",
        "loss",
        "created_at",
        "evaluated_at",
    ]
    readonly_fields = ["loss"]
    change_form_template = "admin/predictions/prediction/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        predictions = super().get_queryset(request).select_related("model", "run")
        # Thousands of weights per row, which the list does not show.
        return predictions.defer("components")

    @admin.display(description=f"log-loss (uniform: {UNIFORM_LOG_LOSS:.4f})", ordering="log_loss")
    def loss(self, prediction: Prediction) -> str:
        return EMPTY if prediction.log_loss is None else f"{prediction.log_loss:.4f}"

    def page_context(self, request: HttpRequest, prediction: Prediction) -> dict[str, Any]:
        try:
            components = components_from_json(prediction.components)
        except ValueError as error:
            return {"error": str(error)}
        return {
            "charts": probability_charts(components),
            "components": [(component.strategy, f"{component.share:.1%}") for component in components],
            "tickets": f"{CURRENT_ERA.ticket_count:,}",
        }
