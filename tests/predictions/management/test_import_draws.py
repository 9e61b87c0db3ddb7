"""Tests of `manage.py import_draws`."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from predictions.draws.bundled import BUNDLED_DRAWS
from predictions.models import Draw
from tests.commands import call, manage

HEADER = "draw_date,n1,n2,n3,n4,n5,powerball,multiplier\n"
GOOD = "2025-12-20,4,5,28,52,69,20,3\n"


@pytest.fixture
def draws_file(tmp_path: Path) -> Path:
    file = tmp_path / "draws.csv"
    file.write_text(HEADER + GOOD)
    return file


@pytest.mark.django_db
def test_import_draws_imports_the_bundled_draws_with_a_summary() -> None:
    out, _ = call("import_draws")

    summary = f"{BUNDLED_DRAWS} read, {BUNDLED_DRAWS} new, 0 changed, 0 unchanged, 0 rejected, 0 in conflict"
    assert out.splitlines()[-1] == f"bundled: {summary}."
    assert Draw.objects.count() == BUNDLED_DRAWS
    again, _ = call("import_draws")
    expected = f"bundled: {BUNDLED_DRAWS} read, 0 new, 0 changed, {BUNDLED_DRAWS} unchanged"
    assert again.splitlines()[-1].startswith(expected)


@pytest.mark.django_db
def test_a_rejected_row_is_named_with_its_line_and_the_others_are_stored(draws_file: Path) -> None:
    draws_file.write_text(HEADER + "2025-12-22,3,18,36,41,99,7,2\n" + GOOD)
    err = StringIO()

    with pytest.raises(CommandError) as raised:
        call_command("import_draws", "--file", str(draws_file), stderr=err)

    assert err.getvalue() == "rejected: line 2: white ball 99 is not in 1 to 69\n"
    assert str(raised.value).startswith("draws.csv: 2 read, 1 new, 0 changed, 0 unchanged, 1 rejected")
    assert raised.value.returncode == 1
    assert [str(draw) for draw in Draw.objects.all()] == ["2025-12-20: 4 5 28 52 69 +20"]


@pytest.mark.django_db
def test_a_dry_run_reports_and_stores_nothing(draws_file: Path) -> None:
    out, _ = call("import_draws", "--file", str(draws_file), "--dry-run")

    assert "1 read, 1 new" in out
    assert "(dry run: nothing was stored)" in out
    assert not Draw.objects.exists()


@pytest.mark.django_db
def test_a_contradiction_is_replaced_only_with_overwrite(draws_file: Path) -> None:
    call("import_draws", "--file", str(draws_file))
    draws_file.write_text(HEADER + GOOD.replace("69,20", "69,21"))

    with pytest.raises(CommandError, match=r"1 in conflict\. Use --overwrite to replace stored draws\."):
        call("import_draws", "--file", str(draws_file))
    assert Draw.objects.get().powerball == 20

    call("import_draws", "--file", str(draws_file), "--overwrite")
    assert Draw.objects.get().powerball == 21


@pytest.mark.django_db
def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.csv cannot be opened: No such file"):
        call("import_draws", "--file", str(tmp_path / "none.csv"))


@pytest.mark.django_db
def test_an_empty_address_does_not_mean_the_bundled_draws() -> None:
    with pytest.raises(CommandError):
        call("import_draws", "--url", "")
    assert not Draw.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_import_that_fell_short_exits_1_without_a_traceback(draws_file: Path) -> None:
    draws_file.write_text(HEADER + "2025-12-22,3,18,36,41,99,7,2\n")

    done = manage("import_draws", "--file", str(draws_file), "-v", "0")

    assert (done.returncode, done.stdout) == (1, "")
    assert "rejected: line 2: white ball 99 is not in 1 to 69" in done.stderr
    assert "Traceback" not in done.stderr
