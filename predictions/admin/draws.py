"""The admin's pages for draws, and the import of new ones."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.http import urlencode

from predictions.admin.balls import BALLS_CSS, render_row_balls
from predictions.admin.draw_deletion import DeletePage
from predictions.admin.uploads import ALLOWED, DrawsFile
from predictions.draws.feed_columns import REQUIRED
from predictions.draws.feeds import READERS, FeedError, ParsedDraw
from predictions.draws.importer import ImportedDraw, ImportRefused, ImportReport, RejectedRow
from predictions.draws.sources import SOURCES, import_content, import_source
from predictions.models import Draw
from shiolplus.adminsite.action_pages import ActionAdmin, ActionPage, ActionRefused, Button, choice_field
from shiolplus.adminsite.changelist import log_about
from shiolplus.adminsite.columns import ReadOnlyAdminMixin, date_column
from shiolplus.adminsite.export import BALLS, ExportColumn, ExportMixin

SHOWN = 20  # rows of a kind listed before "and … more"
SOURCE_LABELS = {
    "bundled": "bundled: the draws that come with the project",
    "ny": "ny: New York Open Data, downloaded",
    "texas": "texas: Texas Lottery, downloaded",
}


class ImportForm(forms.Form):
    source = choice_field("Source", {name: SOURCE_LABELS[name] for name in SOURCES})
    file = forms.FileField(
        required=False,
        help_text=f"Imported instead of a source, if one is chosen; {ALLOWED}. "
        f"Required columns: {REQUIRED}. See docs/draw-files.md.",
        error_messages={"empty": f"File: it is empty; {ALLOWED}."},
    )
    format = forms.ChoiceField(
        required=False,
        initial="auto",
        choices=[("auto", "auto: recognized by its first lines"), *((name, name) for name in READERS)],
        help_text="Layout of the file.",
        error_messages={
            "invalid_choice": f"Format: %(value)s is not one; allowed are auto, {', '.join(READERS)}."
        },
    )
    overwrite = forms.BooleanField(
        required=False,
        label="Replace stored draws that differ",
        help_text="The scores of a draw that is replaced are made anew.",
    )
    partial = forms.BooleanField(
        required=False,
        label="Import the valid rows anyway",
        help_text="Of a file that is refused as a whole: one with another game's columns, with most rows "
        "rejected, or with other numbers on most stored dates.",
    )
    file_name = forms.CharField(required=False, max_length=200, initial="", widget=forms.HiddenInput)
    packed = forms.CharField(required=False, initial="", widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """With `draws_file`, uploaded or carried from the preview; None when a source is asked for."""
        asked = self.cleaned_data
        asked["draws_file"] = None
        layout = asked["format"] = asked.get("format") or "auto"
        try:
            if asked.get("file"):
                asked["draws_file"] = DrawsFile.of_upload(asked["file"], layout)
            elif asked.get("packed"):
                asked["draws_file"] = DrawsFile.unpacked(
                    asked.get("file_name") or "a file", asked["packed"], layout
                )
        except ValueError as error:
            self.add_error("file", f"File: {error}.")
        return asked


class ImportPage(ActionPage):
    slug = "import"
    title = "Import draws"
    permission = "predictions.add_draw"
    form_class = ImportForm
    template = "admin/predictions/draw/import.html"
    uploads = True

    def preview(self, asked: dict[str, Any]) -> dict[str, Any]:
        report = _import(asked, dry_run=True)
        file: DrawsFile | None = asked["draws_file"]
        return {
            "report": report,
            "nothing_to_do": not (report.new or report.changed),
            "tables": [
                (title, [_shown(row) for row in rows[:SHOWN]], max(0, len(rows) - SHOWN))
                for title, rows in (
                    ("New", report.new_draws),
                    ("Changed", report.changed_draws),
                    ("In conflict: not taken", report.conflicts),
                    ("Rejected: not taken", report.rejected),
                )
                if rows
            ],
            "confirm": {} if file is None else {"file_name": file.name, "packed": file.encoded},
        }

    def perform(self, request: HttpRequest, asked: dict[str, Any]) -> None:
        report = _import(asked, dry_run=False)
        file: DrawsFile | None = asked["draws_file"]
        came_from = asked["source"] if file is None else file.description
        how = ", replacing those that differ" if asked["overwrite"] else ""
        how += ", the valid rows only" if asked["partial"] else ""
        said = f"Imported draws from {came_from}{how}. {report.summary()}"
        log_about(request, Draw, said, report.summary())
        level = messages.WARNING if report.is_incomplete else messages.SUCCESS
        self.model_admin.message_user(request, f"{report.summary()}.", level)


def _import(asked: dict[str, Any], *, dry_run: bool) -> ImportReport:
    file: DrawsFile | None = asked["draws_file"]
    how = {"overwrite": asked["overwrite"], "partial": asked["partial"], "dry_run": dry_run}
    try:
        if file is not None:
            return import_content(file.content, file.name, asked["format"], **how)
        return import_source(asked["source"], **how)
    except FeedError as error:
        name = asked["source"] if file is None else file.name
        hint = ""
        if isinstance(error, ImportRefused):
            hint = ". To import its valid rows, choose it again and tick “Import the valid rows anyway”"
        raise ActionRefused(f"The draws of {name} cannot be imported: {error}{hint}") from error


def _shown(row: ImportedDraw | RejectedRow) -> dict[str, Any]:
    """A line of the preview: what is stored, what is given, and why it is not taken."""
    return {
        "line": row.line,
        "day": row.incoming.draw_date if row.incoming else None,
        "stored": _drawn(row.stored),
        "incoming": _drawn(row.incoming),
        "reason": row.reason if isinstance(row, RejectedRow) and row.incoming is None else "",
    }


def _drawn(draw: ParsedDraw | None) -> str:
    if draw is None:
        return ""
    times = f" multiplier {draw.multiplier}" if draw.multiplier else ""
    return format_html("{}{}", render_row_balls(draw), times)


@admin.register(Draw)
class DrawAdmin(ReadOnlyAdminMixin, ExportMixin, ActionAdmin):
    exported = [ExportColumn("draw_date"), *BALLS, ExportColumn("multiplier"), ExportColumn("source")]
    list_display = [date_column("draw_date"), "numbers", "multiplier", "source"]
    list_filter = ["source", "multiplier"]
    date_hierarchy = "draw_date"
    search_fields = ["draw_date"]
    search_help_text = "A date or its beginning, such as 2025-12"
    action_pages = [ImportPage, DeletePage]

    fields = readonly_fields = ("draw_date", "numbers", "multiplier", "source", "created_at", "updated_at")

    class Media:
        css = BALLS_CSS

    def row_actions(self, request: HttpRequest, row: Draw) -> list[Button]:
        page = DeletePage(self)
        if not page.is_allowed(request):
            return []
        return [("Delete this draw", f"{page.url}?{urlencode({'draw_dates': str(row.draw_date)})}")]

    @admin.display(ordering="n1")
    def numbers(self, draw: Draw) -> str:
        return render_row_balls(draw)
