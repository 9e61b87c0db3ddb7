"""The admin's pages for draws, and the import of new ones."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest

from predictions.admin.actions import ActionAdmin, ActionPage, Refused, choice_field
from predictions.admin.balls import BALLS_CSS, balls_of
from predictions.admin.browsing import ReadOnly, day
from predictions.admin.export import BALLS, ExportColumn, Exporting
from predictions.draws import SOURCES, ImportReport, import_source
from predictions.feeds import FeedError
from predictions.models import Draw

SHOWN = 20  # problems listed before "and … more"
SOURCE_LABELS = {
    "bundled": "bundled: the draws that come with the project",
    "ny": "ny: New York Open Data, downloaded",
    "texas": "texas: Texas Lottery, downloaded",
}


class ImportForm(forms.Form):
    source = choice_field("Source", {name: SOURCE_LABELS[name] for name in SOURCES})


class ImportPage(ActionPage):
    slug = "import"
    title = "Import draws"
    permission = "predictions.add_draw"
    form_class = ImportForm
    template = "admin/predictions/draw/import.html"

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        report = _import(asked["source"], dry_run=True)
        return {
            "report": report,
            "nothing_to_do": not (report.new or report.changed),
            "problems": [
                (title, rows[:SHOWN], max(0, len(rows) - SHOWN))
                for title, rows in (("Rejected", report.rejected), ("In conflict", report.conflicts))
                if rows
            ],
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        report = _import(asked["source"], dry_run=False)
        LogEntry.objects.create(
            user_id=str(request.user.pk),
            content_type=ContentType.objects.get_for_model(Draw),
            object_repr=report.summary()[:200],
            action_flag=CHANGE,
            change_message=f"Imported draws. {report.summary()}",
        )
        level = messages.WARNING if report.fell_short else messages.SUCCESS
        self.model_admin.message_user(request, f"{report.summary()}.", level)


def _import(source: str, *, dry_run: bool) -> ImportReport:
    try:
        return import_source(source, dry_run=dry_run)
    except FeedError as error:
        raise Refused(f"The draws of {source} cannot be imported: {error}") from error


@admin.register(Draw)
class DrawAdmin(ReadOnly, Exporting, ActionAdmin):
    exported = [ExportColumn("draw_date"), *BALLS, ExportColumn("multiplier"), ExportColumn("source")]
    list_display = [day("draw_date"), "numbers", "multiplier", "source"]
    list_filter = ["source", "multiplier"]
    date_hierarchy = "draw_date"
    search_fields = ["draw_date"]
    search_help_text = "A date or its beginning, such as 2025-12"
    action_pages = [ImportPage]

    fields = readonly_fields = ("draw_date", "numbers", "multiplier", "source", "created_at", "updated_at")

    class Media:
        css = BALLS_CSS

    @admin.display(ordering="n1")
    def numbers(self, draw: Draw) -> str:
        return balls_of(draw)
