"""Real-world draw files, imported or refused in the same way by the command and by the upload."""

import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from predictions.draws import feeds, sources
from predictions.draws.bundled import BUNDLED_FILES
from predictions.draws.download import download
from predictions.draws.feeds import FeedError, FeedRow, ParsedDraw
from predictions.draws.importer import ImportRefused
from predictions.draws.sources import import_content, import_rows, import_url
from predictions.models import Draw, Feed, PipelineRun
from predictions.pipeline.steps import StepContext, _import_step
from tests.feed_server import Answer, FeedServer
from tests.staff import heard_of, superuser

pytestmark = pytest.mark.django_db

FILES = Path(__file__).parents[2] / "data" / "draw_files"
IMPORT = "/admin/predictions/draw/import/"
PLAIN = "draw_date,n1,n2,n3,n4,n5,powerball,multiplier\n2025-12-29,2,11,32,43,61,15,2\n"
ITEM = {"draw_date": "2025-12-29", "winning_numbers": "2 11 32 43 61 15", "multiplier": 2}
NAMES = ("date", "n1", "n2", "n3", "n4", "n5", "pb", "power_play")
NUMBERS = ("2025-12-29", 2, 11, 32, 43, 61, 15, 2)
LOTTO = (FILES / "01_other_game_same_header.csv").read_bytes()


@pytest.fixture(autouse=True)
def _after_the_draws_of_the_files() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 3, 3, 17, tzinfo=UTC), tick=False):
        yield


def run_command(path: Path, *flags: str) -> tuple[int, str]:
    """Return the exit code and the output of `import_draws`."""
    out = StringIO()
    try:
        call_command("import_draws", "--file", str(path), *flags, stdout=out, stderr=out)
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def run_upload(path: Path, *flags: str) -> tuple[int, str]:
    """Return 0 if a confirmed preview has imported, else 1, and the text of the pages."""
    client = superuser()
    params = {flag.removeprefix("--"): "on" for flag in flags}
    file = SimpleUploadedFile("draws.csv", path.read_bytes())
    shown = client.post(IMPORT, {"_asked": "1", "source": "bundled", "file": file} | params)
    text = heard_of(shown)
    if not shown.context["confirmed"]:
        return 1, text
    return 0, text + heard_of(client.post(IMPORT, dict(shown.context["confirmed"]), follow=True))


Importer = Callable[..., tuple[int, str]]
both_ways = pytest.mark.parametrize("run_import", [run_command, run_upload])


def stored() -> list[tuple[str, int | None]]:
    return [(str(draw), draw.multiplier) for draw in Draw.objects.order_by("draw_date")]


# Files from the findings

FIRST = "2025-12-29: 2 11 32 43 61 +15"
SECOND = ("2025-12-31: 6 16 27 41 57 +9", 3)


@both_ways
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("02_texas_with_header.csv", [(FIRST, 2)]),
        ("03_multiplier_zero.csv", [(FIRST, None)]),
        ("04_pandas_floats.csv", [(FIRST, 2)]),
        ("05_column_pb.csv", [(FIRST, None)]),
        ("13_trailing_commas_blank_rows.csv", [(FIRST, 2), SECOND]),
        (
            "16_powerplay_words.csv",
            [
                (FIRST, 2),
                SECOND,
                ("2026-01-03: 6 16 27 41 57 +9", None),
                ("2026-01-05: 6 16 27 41 57 +9", 2),
                ("2026-01-07: 6 16 27 41 57 +9", 2),
            ],
        ),
        ("19_socrata_rows.json", [(FIRST, 2)]),
        ("24_wisconsin_multiplier_column.csv", [(FIRST, 2)]),
        ("38_texas_quoted.csv", [(FIRST, 2)]),
        ("45_nul_in_header.csv", [(FIRST, 2)]),
    ],
)
def test_a_file_that_people_have_is_read_without_a_rejected_row(
    name: str, expected: list[tuple[str, int | None]], run_import: Importer
) -> None:
    code, text = run_import(FILES / name)

    assert code == 0, text
    assert f"{len(expected)} new, 0 changed, 0 unchanged, 0 rejected" in text
    assert "unknown column" not in text
    assert stored() == expected


@both_ways
def test_a_file_of_new_york_lotto_is_refused_with_its_columns_and_what_is_allowed(
    run_import: Importer,
) -> None:
    code, text = run_import(FILES / "01_other_game_same_header.csv")

    assert code == 1
    assert "it has columns of another game: Bonus #, Extra #; the expected columns are Draw Date and" in text
    assert ("--partial" if run_import is run_command else "check “Import the valid rows anyway”") in text
    assert stored() == []


@both_ways
def test_partial_imports_the_valid_rows_of_a_refused_file(run_import: Importer) -> None:
    _, text = run_import(FILES / "01_other_game_same_header.csv", "--partial")

    assert "3 read, 1 new, 0 changed, 0 unchanged, 2 rejected" in text
    assert stored() == [("2019-09-14: 1 9 14 22 24 +25", None)]


# Whole-file rules


def import_text(text: str, **options: bool) -> Any:
    return import_content(text.encode(), "test", **options)


@pytest.mark.parametrize(
    "name", ["Mega Ball", "mega_ball", "Bonus", "Extra#", "Megaplier", "Star Ball", "Cash Ball"]
)
def test_columns_of_another_game_refuse_valid_rows_too(name: str) -> None:
    with pytest.raises(ImportRefused, match="columns of another game"):
        import_text(PLAIN.replace("multiplier", name))
    with pytest.raises(ImportRefused, match="columns of another game"):
        import_text(
            json.dumps([{"draw_date": "2025-12-29", "winning_numbers": "2 11 32 43 61 15", name: "2"}])
        )
    assert stored() == []


WEDNESDAYS = ["2026-01-07", "2026-01-14", "2026-01-21", "2026-01-28", "2026-02-04", "2026-02-11"]


def rows_with_powerballs(*powerballs: int) -> list[FeedRow]:
    days = map(date.fromisoformat, WEDNESDAYS)
    return [
        FeedRow(line, ParsedDraw(day, (1, 2, 3, 4, 5), powerball, 2))
        for line, (day, powerball) in enumerate(zip(days, powerballs, strict=False), start=2)
    ]


def test_most_rows_rejected_refuse_the_file_and_half_of_them_do_not() -> None:
    with pytest.raises(ImportRefused, match=r"2 of its 3 rows are rejected, .* line 3: powerball 27 is not"):
        import_rows(rows_with_powerballs(1, 27, 28), "test")
    assert stored() == []

    report = import_rows(rows_with_powerballs(1, 27, 28, 2), "test")
    assert (report.new, len(report.rejected)) == (2, 2)
    assert import_rows(rows_with_powerballs(1, 27, 28), "test", partial=True).unchanged == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_numbers_on_most_shared_dates_refuse_the_file(overwrite: bool) -> None:
    import_rows(rows_with_powerballs(1, 1, 1, 1), "test")
    before = stored()

    with pytest.raises(ImportRefused, match=r"on 3 of 4 stored dates, .* other numbers"):
        import_rows(rows_with_powerballs(1, 2, 2, 2, 5), "test", overwrite=overwrite)
    assert stored() == before

    report = import_rows(rows_with_powerballs(1, 1, 2, 2, 5), "test", overwrite=overwrite)  # half
    assert report.new == 1


def test_partial_imports_what_does_not_contradict() -> None:
    import_rows(rows_with_powerballs(1, 1, 1, 1), "test")
    report = import_rows(rows_with_powerballs(1, 2, 2, 2, 5), "test", partial=True)
    assert (report.new, len(report.conflicts)) == (1, 3)


def test_two_corrected_draws_are_no_wrong_file_and_neither_are_other_multipliers() -> None:
    import_rows(rows_with_powerballs(1, 1), "test")
    assert import_rows(rows_with_powerballs(2, 2), "test", overwrite=True).changed == 2

    import_rows(rows_with_powerballs(2, 2, 2, 2), "test")
    others = [
        FeedRow(row.line, ParsedDraw(row.draw.draw_date, row.draw.white_balls, 2, 3))
        for row in rows_with_powerballs(2, 2, 2, 2)
        if row.draw
    ]
    assert len(import_rows(others, "test").conflicts) == 4


def test_the_draws_of_every_era_are_imported_together() -> None:
    assert import_content(BUNDLED_FILES[0].read_bytes(), "all").new == 1879


@both_ways
def test_unknown_columns_are_one_warning_and_no_refusal(run_import: Importer, tmp_path: Path) -> None:
    file = tmp_path / "draws.csv"
    file.write_text("Draw Date,Winning Numbers,Weather,Host,Double Play Winning Numbers,Est. Jackpot\n"
                    "12/29/2025,02 11 32 43 61 15,dry,Sam,01 02 03 04 05 06,$20\n")  # fmt: skip
    code, text = run_import(file)

    assert code == 0
    assert "unknown columns ignored: Weather, Host" in text
    assert "Double Play" not in text
    assert stored() == [(FIRST, None)]


# Downloads


def test_feed_of_another_game_stores_nothing_and_keeps_its_etag() -> None:
    good = Answer(body=PLAIN.encode(), headers={"ETag": '"good"'})
    with FeedServer(good, Answer(body=LOTTO, headers={"ETag": '"bad"'})) as server:
        import_url(server.url)
        with pytest.raises(ImportRefused):
            import_url(server.url)
    assert stored() == [(FIRST, 2)]
    assert Feed.objects.get().etag == '"good"'


def test_the_pipelines_data_step_warns_of_a_refused_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    import_text(PLAIN)
    with FeedServer(Answer(body=LOTTO)) as server:
        monkeypatch.setitem(sources.URLS, "ny", server.url)
        outcome = _import_step(StepContext(PipelineRun(source="ny", draw_date=date(2026, 3, 4))))
    assert outcome.status == "warning"
    assert outcome.summary.startswith("ny: the file is refused and nothing was")
    assert stored() == [(FIRST, 2)]


@pytest.mark.parametrize("status", [304, 204, 206])
def test_a_response_without_a_whole_body_is_an_error(status: int) -> None:
    with (
        FeedServer(Answer(status, b"")) as server,
        pytest.raises(FeedError, match=f"cannot be read: {status}"),
    ):
        download(server.url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/\udcff", "http://127.0.0.1/\0", "http://127.0.0.1/" + "a" * 500]
)
def test_a_url_that_no_row_can_hold_is_a_feed_error(url: str) -> None:
    with pytest.raises(FeedError, match="is not a URL of at most 500 characters"):
        import_url(url)


# Bytes, names and layouts


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode("utf-16"),
        ("\ufeff" + PLAIN).encode("utf-16-be"),
        PLAIN.encode("utf-8-sig").replace(b"\n", b"\r\n"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.upper().replace("DRAW_DATE", "Draw Date").encode(),
        PLAIN.replace("draw_date", "Date").replace("powerball", "Power Ball").encode(),
        PLAIN.replace("n1,n2,n3,n4,n5", "White Ball 1,white_ball_2,WhiteBall3,Ball 4,Num5").encode(),
        PLAIN.replace("12-29", "12-29 00:00:00").encode(),
        json.dumps({"data": [ITEM]}),
        json.dumps([dict(zip(NAMES, NUMBERS, strict=True))]),
    ],
)  # fmt: skip
def test_other_separators_encodings_and_names_are_read(content: bytes | str) -> None:
    import_content(content if isinstance(content, bytes) else content.encode(), "test")
    assert stored() == [(FIRST, 2)]


def test_socratas_own_columns_may_be_listed_too() -> None:
    names = [":sid", ":id", ":position", ":created_at", "Draw Date", "Winning Numbers", "Multiplier"]
    columns = [{"name": name.strip(":")} for name in names]
    data = [["row-1", "0", 0, 1, "2025-12-29T00:00:00", "02 11 32 43 61 15", "2"]]
    report = import_text(json.dumps({"meta": {"view": {"columns": columns}}, "data": data}))
    assert (stored(), report.warning) == ([(FIRST, 2)], "")


@both_ways
def test_a_bad_json_item_is_named_an_item(run_import: Importer, tmp_path: Path) -> None:
    file = tmp_path / "draws.json"
    good = {"draw_date": "2025-12-29", "winning_numbers": "02 11 32 43 61 15"}
    file.write_text(json.dumps([good, good | {"winning_numbers": "1"}]))
    _, text = run_import(file)
    assert "item 2" in text
    assert "line 2" not in text


def test_a_texas_file_of_another_game_with_a_header_is_rejected() -> None:
    text = (FILES / "02_texas_with_header.csv").read_text().replace("\nPowerball", "\nMega Millions")
    report = import_text(text)
    assert [problem.reason for problem in report.rejected] == ["the game is 'Mega Millions', not Powerball"]


@pytest.mark.parametrize("flags", [["--dry-run"], []])
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_a_file_name_that_is_not_utf_8_is_imported(tmp_path: Path, flags: list[str]) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/draws-\xff.csv")
    Path(path).write_text(PLAIN)

    code, text = run_command(Path(path), *flags)

    assert code == 0
    assert "draws-\\udcff.csv: 1 read, 1 new" in text
    assert [draw.source for draw in Draw.objects.all()] == ([] if flags else ["draws-\\udcff.csv"])


def test_an_absent_file_with_such_a_name_is_an_error_that_can_be_printed(tmp_path: Path) -> None:
    code, text = run_command(tmp_path / "\udcff.csv")
    assert code == 1
    assert text.encode().endswith(b"\\udcff.csv cannot be opened: No such file or directory")


def test_control_characters_of_a_header_are_escaped_in_the_refusal() -> None:
    with pytest.raises(FeedError, match=r"it has Draw Date, A\\x1b\[31m"):
        import_content(b"Draw Date,A\x1b[31m\n1,2\n", "test", "ny-csv")


@pytest.mark.parametrize("layout", ["ny-csv", "texas"])
def test_the_upload_reads_the_format_that_is_chosen(layout: str) -> None:
    client: Client = superuser()
    file = SimpleUploadedFile("draws.csv", (FILES / "38_texas_quoted.csv").read_bytes())
    params = {"_asked": "1", "source": "bundled", "file": file, "format": layout}
    page = client.post(IMPORT, params)
    if layout == "ny-csv":
        assert "the header has no column Draw Date, Winning Numbers" in heard_of(page)
        return
    client.post(IMPORT, dict(page.context["confirmed"]))
    assert stored() == [(FIRST, 2)]


def test_the_upload_page_offers_every_format_and_names_the_required_columns() -> None:
    page = superuser().get(IMPORT)
    text = heard_of(page)
    assert all(f'<option value="{name}"' in page.content.decode() for name in ("auto", *feeds.READERS))
    assert "Required columns: Draw Date and Winning Numbers" in text
    assert "docs/draw-files.md" in text


# Spreadsheets


def make_xlsx(rows: list[list[str | float]]) -> bytes:
    """Return a minimal workbook: one sheet, inline strings."""

    def cell(value: str | float) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    types = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{kinds}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kinds}"><sheets>'
        '<sheet name="Draws" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{kinds}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return content.getvalue()


@both_ways
def test_a_spreadsheet_is_read(run_import: Importer, tmp_path: Path) -> None:
    header = PLAIN.partition("\n")[0].split(",")
    file = tmp_path / "draws.xlsx"
    file.write_bytes(make_xlsx([[*header], ["2025-12-29", 2, 11, 32, 43, 61, 15, 2]]))
    code, text = run_import(file)
    assert code == 0, text
    assert stored() == [(FIRST, 2)]


@both_ways
@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04broken", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1broken", make_xlsx([])[:400]],
    ids=["zip", "ole", "truncated"],  # the truncated file holds its creation time
)
def test_a_broken_spreadsheet_is_refused_by_its_name(
    content: bytes, run_import: Importer, tmp_path: Path
) -> None:
    file = tmp_path / "draws.xlsx"
    file.write_bytes(content)
    code, text = run_import(file)
    assert code == 1
    assert "an Excel or OpenDocument file that cannot be read" in text


def test_a_spreadsheet_that_unpacks_without_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictions.draws.spreadsheets.UNZIPPED_CAP", 1000)
    with pytest.raises(FeedError, match="it unpacks to more than the allowed 1,000 bytes"):
        feeds.decode(make_xlsx([["x" * 2000]]))


@pytest.mark.parametrize("multiplier", ["0.0", "00", "0x", "NaN", "-"])
def test_multiplier_without_value_is_none(multiplier: str) -> None:
    import_text(PLAIN.replace("15,2", f"15,{multiplier}"))
    assert stored() == [(FIRST, None)]
