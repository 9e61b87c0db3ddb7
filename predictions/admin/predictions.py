"""The admin's pages for predictions: each law drawn as bars beside uniform."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from predictions.admin.prediction_charts import bar_charts
from predictions.distributions.components import UNIFORM_LOG_LOSS, components_from_json
from predictions.models import Prediction
from predictions.powerball import CURRENT_ERA
from shiolplus.adminsite.columns import (
    EMPTY,
    DrawDateFilter,
    ExtraContextMixin,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
)


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdminMixin, ExtraContextMixin):
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
        *("mode", "draw_date", "draws_through", "model", "run", "note", "loss", "created_at", "evaluated_at")
    ]
    readonly_fields = ["loss"]
    change_form_template = "admin/predictions/prediction/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        predictions = super().get_queryset(request).select_related("model", "run")
        # A list of a hundred shows none of their thousands of weights.
        return predictions.defer("components")

    @admin.display(description=f"log-loss (uniform's is {UNIFORM_LOG_LOSS:.4f})", ordering="log_loss")
    def loss(self, prediction: Prediction) -> str:
        return EMPTY if prediction.log_loss is None else f"{prediction.log_loss:.4f}"

    def page_context(self, request: HttpRequest, prediction: Prediction) -> dict[str, Any]:
        """What the page draws; a broken law is said to be one, as generation does."""
        try:
            components = components_from_json(prediction.components)
        except ValueError as error:
            return {"broken": str(error)}
        return {
            "charts": bar_charts(components),
            "components": [(one.strategy, f"{one.share:.1%}") for one in components],
            "tickets": f"{CURRENT_ERA.tickets:,}",
        }
