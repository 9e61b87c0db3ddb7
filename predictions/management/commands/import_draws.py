"""Management command that imports official draws."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.draws import sources
from predictions.draws.bundled import BUNDLED_DRAWS
from predictions.draws.feeds import READERS, FeedError
from predictions.draws.importer import ImportRefused, ImportReport
from shiolplus.cli import configure_console_logging, write_line
from shiolplus.logs.safe_text import sanitize_line

MAX_LISTED = 20  # rows or dates per list


class Command(BaseCommand):
    help = (
        "Imports official draws. Checks each row against the rules of the game on its date; repeating an "
        "import changes nothing. Exits with status 1 if a row is rejected or conflicts with a stored draw. A "
        "file needs the columns Draw Date and Winning Numbers, or draw_date, n1 to n5 and powerball; "
        "docs/draw-files.md describes all layouts and when a whole file is refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group()
        source.add_argument(
            "--source",
            choices=sources.SOURCES,
            default="bundled",
            help=f"Import the {BUNDLED_DRAWS:,} draws bundled with the project (the default), or download "
            "them from New York (ny) or Texas (texas).",
        )
        source.add_argument(
            "--file", type=Path, metavar="FILE", help="Import a CSV, JSON or spreadsheet file."
        )
        source.add_argument("--url", metavar="URL", help="Download a file of draws from this URL.")
        parser.add_argument(
            "--format",
            choices=["auto", *READERS],
            default="auto",
            help="Layout of --file or --url. By default, detected from the first lines.",
        )
        parser.add_argument(
            "--overwrite", action="store_true", help="Replace stored draws that conflict with a row."
        )
        parser.add_argument(
            "--partial",
            action="store_true",
            help="Import the valid rows of a file that would be refused as a whole because of columns of "
            "another game, mostly rejected rows, or different numbers on most stored dates.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Report what would be imported without storing it."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        configure_console_logging(options["verbosity"])
        file, url, layout = options["file"], options["url"], options["format"]
        if layout != "auto" and file is None and url is None:
            raise CommandError("--format requires --file or --url.", returncode=2)
        flags = {name: options[name] for name in ("overwrite", "dry_run", "partial")}
        try:
            if file is not None:
                report = sources.import_file(file, layout, **flags)
            elif url is not None:
                report = sources.import_url(url, layout, **flags)
            else:
                report = sources.import_source(options["source"], **flags)
        except ImportRefused as refusal:
            self._write_problems(refusal.report)
            name = refusal.report.source
            raise CommandError(f"{name}: {refusal}. Use --partial to import the valid rows.") from refusal
        except FeedError as error:
            raise CommandError(sanitize_line(str(error))) from error
        self._write_report(report, options["verbosity"])

    def _write_problems(self, report: ImportReport) -> None:
        if report.warning:
            self.stderr.write(f"warning: {report.warning}")
        for title, rows in (("rejected", report.rejected), ("conflict", report.conflicts)):
            for row in rows[:MAX_LISTED]:
                self.stderr.write(f"{title}: {report.unit} {row.line}: {row.reason}")
            if len(rows) > MAX_LISTED:
                self.stderr.write(f"{title}: and {len(rows) - MAX_LISTED} more")

    def _write_report(self, report: ImportReport, verbosity: int) -> None:
        self._write_problems(report)
        if missing := sources.missing_draws():
            dates = ", ".join(map(str, missing[:MAX_LISTED])) + (" …" if len(missing) > MAX_LISTED else "")
            write_line(
                self.stdout,
                verbosity,
                f"{len(missing)} draws missing between the first and the last: {dates}. "
                "Another source may have them.",
            )
        if report.is_incomplete:
            hint = " Use --overwrite to replace stored draws." if report.conflicts else ""
            raise CommandError(f"{report.summary()}.{hint}")
        write_line(self.stdout, verbosity, f"{report.summary()}.")
