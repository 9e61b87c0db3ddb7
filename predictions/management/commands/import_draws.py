"""`manage.py import_draws`: bring official draws in, and say of every row what became of it."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.draws import sources
from predictions.draws.bundled import BUNDLED_DRAWS
from predictions.draws.feeds import READERS, FeedError
from predictions.draws.importer import ImportRefused, ImportReport
from shiolplus.cli import configure_console_logging, write_line
from shiolplus.logs.safe_text import sanitize_line

SHOWN = 20  # problems listed before "and … more"


class Command(BaseCommand):
    help = (
        "Import official draws. Rows are checked against the game's rules of their date and stored by date; "
        "importing the same draws again changes nothing. Exits 1 when a row was rejected or contradicts a "
        "stored draw. A file needs the columns Draw Date and Winning Numbers, or draw_date, n1 to n5 "
        "and powerball; docs/draw-files.md has every layout and says when a whole file is refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--source",
            choices=sources.SOURCES,
            default="bundled",
            help=f"bundled: the {BUNDLED_DRAWS:,} draws that come with the project (default); "
            "ny, texas: download",
        )
        where.add_argument(
            "--file", type=Path, metavar="F", help="a file of draws: CSV, JSON or a spreadsheet"
        )
        where.add_argument("--url", metavar="U", help="an address of draws")
        parser.add_argument(
            "--format",
            choices=["auto", *READERS],
            default="auto",
            help="layout of --file or --url (default: found out from its first lines)",
        )
        parser.add_argument(
            "--overwrite", action="store_true", help="let a row that contradicts a stored draw replace it"
        )
        parser.add_argument(
            "--partial",
            action="store_true",
            help="import the valid rows of a file that would be refused as a whole: with another game's "
            "columns, most rows rejected, or other numbers on most stored dates",
        )
        parser.add_argument("--dry-run", action="store_true", help="report only, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        configure_console_logging(options["verbosity"])
        from_outside = options["file"] is not None or options["url"] is not None
        if options["format"] != "auto" and not from_outside:
            raise CommandError("--format belongs to --file or --url", returncode=2)
        how = {
            "overwrite": options["overwrite"],
            "dry_run": options["dry_run"],
            "partial": options["partial"],
        }
        try:
            if options["file"] is not None:
                report = sources.import_file(options["file"], options["format"], **how)
            elif options["url"] is not None:
                report = sources.import_url(options["url"], options["format"], **how)
            else:
                report = sources.import_source(options["source"], **how)
        except ImportRefused as refusal:
            self._show_problems(refusal.report)
            name = refusal.report.source
            raise CommandError(f"{name}: {refusal}. Use --partial to import the valid rows.") from refusal
        except FeedError as error:
            raise CommandError(sanitize_line(str(error))) from error
        self._show(report, options["verbosity"])

    def _show_problems(self, report: ImportReport) -> None:
        if report.warning:
            self.stderr.write(f"warning: {report.warning}")
        for title, problems in (("rejected", report.rejected), ("conflict", report.conflicts)):
            for row in problems[:SHOWN]:
                self.stderr.write(f"{title}: {report.unit} {row.line}: {row.reason}")
            if len(problems) > SHOWN:
                self.stderr.write(f"{title}: and {len(problems) - SHOWN} more")

    def _show(self, report: ImportReport, verbosity: int) -> None:
        self._show_problems(report)
        if missing := sources.missing_draws():
            days = ", ".join(map(str, missing[:SHOWN])) + (" …" if len(missing) > SHOWN else "")
            write_line(
                self.stdout,
                verbosity,
                f"{len(missing)} scheduled draws between the first and the last are not stored: {days}. "
                "Another source may have them.",
            )
        if report.is_incomplete:
            hint = " Use --overwrite to replace stored draws." if report.conflicts else ""
            raise CommandError(f"{report.summary()}.{hint}")
        write_line(self.stdout, verbosity, report.summary())
