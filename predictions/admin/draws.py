"""Admin pages for draws, and the action that imports draws."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html

from predictions.admin.balls import BALLS_CSS, render_row_balls
from predictions.admin.draw_deletion import DeletePage
from predictions.admin.uploads import ALLOWED, DrawsFile
from predictions.draws.feed_columns import REQUIRED
from predictions.draws.feeds import READERS, FeedError, ParsedDraw
from predictions.draws.importer import ImportedDraw, ImportRefused, ImportReport, RejectedRow
from predictions.draws.sources import SOURCES, import_content, import_source
from predictions.models import Draw
from shiolplus.adminsite.action_pages import ActionAdmin, ActionPage, ActionRefused, Button, choice_field
from shiolplus.adminsite.changelist import log_list_action
from shiolplus.adminsite.columns import ReadOnlyAdminMixin, date_column
from shiolplus.adminsite.export import BALLS, ExportColumn, ExportMixin

MAX_LISTED = 20  # rows per outcome
SOURCE_LABELS = {
    "bundled": "bundled: the draws bundled with the project",
    "ny": "ny: New York Open Data, downloaded",
    "texas": "texas: Texas Lottery, downloaded",
}


class ImportForm(forms.Form):
    source = choice_field("Source", {name: SOURCE_LABELS[name] for name in SOURCES})
    file = forms.FileField(
        required=False,
        help_text=f"Imported instead of the source; {ALLOWED}. "
        f"Required columns: {REQUIRED}. See docs/draw-files.md.",
        error_messages={"empty": f"File: the file is empty; {ALLOWED}."},
    )
    format = forms.ChoiceField(
        required=False,
        initial="auto",
        choices=[("auto", "auto: detected from the first lines"), *((name, name) for name in READERS)],
        help_text="Layout of the file.",
        error_messages={
            "invalid_choice": f"Format: %(value)s is unknown; allowed are auto, {', '.join(READERS)}."
        },
    )
    overwrite = forms.BooleanField(
        required=False,
        label="Replace stored draws that differ",
        help_text="Batches are scored again for draws whose numbers change.",
    )
    partial = forms.BooleanField(
        required=False,
        label="Import the valid rows anyway",
        help_text="For files that are refused as a whole because of columns of another game, mostly rejected "
        "rows, or different numbers on most stored dates.",
    )
    file_name = forms.CharField(required=False, max_length=200, initial="", widget=forms.HiddenInput)
    packed = forms.CharField(required=False, initial="", widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Add `draws_file`, uploaded or carried from the preview; None to import from the source."""
        cleaned_data = self.cleaned_data
        cleaned_data["draws_file"] = None
        layout = cleaned_data["format"] = cleaned_data.get("format") or "auto"
        try:
            if cleaned_data.get("file"):
                cleaned_data["draws_file"] = DrawsFile.from_upload(cleaned_data["file"], layout)
            elif cleaned_data.get("packed"):
                name = cleaned_data.get("file_name") or "a file"
                cleaned_data["draws_file"] = DrawsFile.decode(name, cleaned_data["packed"], layout)
        except ValueError as error:
            self.add_error("file", f"File: {error}.")
        return cleaned_data


class ImportPage(ActionPage):
    slug = "import"
    title = "Import draws"
    permission = "predictions.add_draw"
    form_class = ImportForm
    template = "admin/predictions/draw/import.html"
    uploads = True

    def preview_context(self, cleaned_data: dict[str, Any]) -> dict[str, Any]:
        report = import_or_refuse(cleaned_data, dry_run=True)
        file: DrawsFile | None = cleaned_data["draws_file"]
        return {
            "report": report,
            "nothing_to_do": not (report.new or report.changed),
            "tables": [
                (title, [preview_row(row) for row in rows[:MAX_LISTED]], max(0, len(rows) - MAX_LISTED))
                for title, rows in (
                    ("New", report.new_draws),
                    ("Changed", report.changed_draws),
                    ("In conflict (not imported)", report.conflicts),
                    ("Rejected (not imported)", report.rejected),
                )
                if rows
            ],
            "confirm": {} if file is None else {"file_name": file.name, "packed": file.encoded},
        }

    def perform_action(self, request: HttpRequest, cleaned_data: dict[str, Any]) -> None:
        report = import_or_refuse(cleaned_data, dry_run=False)
        file: DrawsFile | None = cleaned_data["draws_file"]
        source = cleaned_data["source"] if file is None else file.description
        options = ", replacing stored draws that differ" if cleaned_data["overwrite"] else ""
        options += ", valid rows only" if cleaned_data["partial"] else ""
        message = f"Imported draws from {source}{options}. {report.summary()}"
        log_list_action(request, Draw, message, report.summary())
        level = messages.WARNING if report.is_incomplete else messages.SUCCESS
        self.model_admin.message_user(request, f"{report.summary()}.", level)


def import_or_refuse(cleaned_data: dict[str, Any], *, dry_run: bool) -> ImportReport:
    file: DrawsFile | None = cleaned_data["draws_file"]
    flags = {name: cleaned_data[name] for name in ("overwrite", "partial")} | {"dry_run": dry_run}
    try:
        if file is not None:
            return import_content(file.content, file.name, cleaned_data["format"], **flags)
        return import_source(cleaned_data["source"], **flags)
    except FeedError as error:
        name = cleaned_data["source"] if file is None else file.name
        hint = ""
        if isinstance(error, ImportRefused):
            hint = ". To import its valid rows, select it again and check “Import the valid rows anyway”."
        raise ActionRefused(f"The draws of {name} cannot be imported: {error}{hint}") from error


def preview_row(row: ImportedDraw | RejectedRow) -> dict[str, Any]:
    return {
        "line": row.line,
        "draw_date": row.incoming.draw_date if row.incoming else None,
        "stored": render_draw(row.stored),
        "incoming": render_draw(row.incoming),
        "reason": row.reason if isinstance(row, RejectedRow) and row.incoming is None else "",
    }


def render_draw(draw: ParsedDraw | None) -> str:
    if draw is None:
        return ""
    multiplier = f" multiplier {draw.multiplier}" if draw.multiplier else ""
    return format_html("{}{}", render_row_balls(draw), multiplier)


@admin.register(Draw)
class DrawAdmin(ReadOnlyAdminMixin, ExportMixin, ActionAdmin):
    exported = [ExportColumn("draw_date"), *BALLS, ExportColumn("multiplier"), ExportColumn("source")]
    list_display = [date_column("draw_date"), "numbers", "multiplier", "source"]
    list_filter = ["source", "multiplier"]
    date_hierarchy = "draw_date"
    search_fields = ["draw_date"]
    search_help_text = "Date or beginning of a date, such as 2025-12"
    action_pages = [ImportPage, DeletePage]

    fields = readonly_fields = ("draw_date", "numbers", "multiplier", "source", "created_at", "updated_at")

    class Media:
        css = BALLS_CSS

    def row_actions(self, request: HttpRequest, draw: Draw) -> list[Button]:
        page = DeletePage(self)
        if not page.is_allowed(request):
            return []
        return [("Delete this draw", page.url(draw_dates=str(draw.draw_date)))]

    @admin.display(ordering="n1")
    def numbers(self, draw: Draw) -> str:
        return render_row_balls(draw)
