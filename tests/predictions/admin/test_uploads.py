"""Tests of importing an uploaded file of draws after a preview."""

import base64
import hashlib
import zlib
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from predictions.admin.uploads import MAX_BYTES
from predictions.models import Draw
from predictions.signals import draws_stored
from tests.staff import client_of, heard_of, staff_who_may, superuser

pytestmark = pytest.mark.django_db

IMPORT = "/admin/predictions/draw/import/"
NY = (
    "Draw Date,Winning Numbers,Multiplier\r\n"
    "11/05/2022,28 45 53 56 69 20,3\r\n"
    "11/09/2022,07 14 24 30 56 07,2\r\n"
    "11/10/2022,01 02 03 04 05 06,2\r\n"
    "11/12/2022,16 20 44 57 58 06,\r\n"
)
JSON = '[{"draw_date": "2022-11-09T00:00:00.000", "winning_numbers": "07 14 24 30 56 07"}]'
TEXAS = "Powerball,11,9,2022,56,14,7,24,30,7,2\n"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


@pytest.fixture
def admin() -> Client:
    return superuser()


@pytest.fixture
def stored() -> None:
    """Store draws that the file completes, contradicts and does not contain."""
    for draw_date, white_balls, powerball, multiplier in (
        ("2022-11-05", (28, 45, 53, 56, 69), 20, None),
        ("2022-11-09", (7, 14, 24, 30, 55), 7, 2),
        ("2022-11-02", (2, 11, 22, 35, 60), 23, 2),
    ):
        numbers = dict(zip(("n1", "n2", "n3", "n4", "n5"), white_balls, strict=True))
        Draw.objects.create(
            draw_date=draw_date, powerball=powerball, multiplier=multiplier, source="ny", **numbers
        )


def uploaded(client: Client, content: str | bytes, name: str = "draws.csv", **values: str) -> Any:
    content = content if isinstance(content, bytes) else content.encode()
    file = SimpleUploadedFile(name, content)
    return client.post(IMPORT, {"_asked": "1", "source": "bundled", "file": file} | values)


def confirmed(client: Client, preview: Any) -> Any:
    """Post the confirmation form of a preview, as a browser does."""
    return client.post(IMPORT, dict(preview.context["confirmed"]), follow=True)


def numbers() -> list[str]:
    return [str(draw) for draw in Draw.objects.order_by("draw_date")]


@pytest.mark.usefixtures("stored")
def test_the_preview_shows_every_kind_of_row_with_its_line_and_stores_nothing(admin: Client) -> None:
    before = numbers()

    page = uploaded(admin, NY)

    text = heard_of(page)
    assert "draws.csv: 4 read, 1 new, 1 changed, 0 unchanged, 1 rejected, 1 in conflict" in text
    assert "New Line Draw Incoming line 5 2022-11-12 16 20 44 57 58 Powerball 6" in text
    changed = "line 2 2022-11-05 28 45 53 56 69 Powerball 20 28 45 53 56 69 Powerball 20 multiplier 3"
    assert f"Changed Line Draw Stored Incoming {changed}" in text
    conflict = (
        "line 3 2022-11-09 7 14 24 30 55 Powerball 7 multiplier 2 7 14 24 30 56 Powerball 7 multiplier 2"
    )
    assert conflict in text
    assert "line 4 2022-11-10 is a Thursday" in text
    assert 'class="ball powerball"' in page.content.decode()
    assert "Import 2 draws" in page.content.decode()
    assert numbers() == before


@pytest.mark.usefixtures("stored")
def test_previewed_draws_are_imported_and_logged_with_the_files_digest(admin: Client) -> None:
    done = confirmed(admin, uploaded(admin, NY))
    again = confirmed(admin, uploaded(admin, NY))

    assert "1 new, 1 changed" in heard_of(done)
    assert "0 new, 0 changed, 2 unchanged" in heard_of(again)
    assert numbers()[-1] == "2022-11-12: 16 20 44 57 58 +6"
    assert "2022-11-09: 7 14 24 30 55 +7" in numbers()
    message = LogEntry.objects.order_by("id")[0].get_change_message()
    digest = hashlib.sha256(NY.encode()).hexdigest()
    assert f"from the file draws.csv ({len(NY)} bytes, SHA-256 {digest}). draws.csv: 4 read, 1 new" in message
    assert Draw.objects.get(draw_date="2022-11-12").source == "draws.csv"


@pytest.mark.usefixtures("stored")
def test_stored_draws_are_overwritten_on_request_only_and_signalled(
    admin: Client, django_capture_on_commit_callbacks: Any
) -> None:
    stored_dates: list[object] = []

    def listen(dates: list[object], **kwargs: object) -> None:
        stored_dates.extend(map(str, dates))

    draws_stored.connect(listen)
    preview = uploaded(admin, NY, overwrite="on")
    with django_capture_on_commit_callbacks(execute=True):
        confirmed(admin, preview)

    assert "2 stored draws will be changed. Batches are scored again" in heard_of(preview)
    assert "2022-11-09: 7 14 24 30 56 +7" in numbers()
    assert stored_dates == ["2022-11-05", "2022-11-09", "2022-11-12"]
    assert ", replacing stored draws that differ." in LogEntry.objects.get().get_change_message()


@pytest.mark.parametrize(("content", "name"), [(JSON, "ny.json"), (TEXAS, "texas.csv"), (NY, "\u00e9.csv")])
def test_each_layout_is_recognised(content: str, name: str, admin: Client) -> None:
    confirmed(admin, uploaded(admin, content, name))

    assert "2022-11-09: 7 14 24 30 56 +7" in numbers()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "File: the file is empty; allowed is a text of at most 2,000,000 bytes"),
        (b"<html>", "File: draws.csv cannot be read: not a known layout"),
        (b"\xff\xfe\x00", "File: draws.csv cannot be read: not UTF-8 text"),
        (b"[1", "File: draws.csv cannot be read: not JSON"),
        (
            NY.encode() + b" " * MAX_BYTES,
            "File: draws.csv has 2,000,1",
        ),
    ],
)
def test_invalid_file_is_a_field_error_with_what_is_allowed(
    content: bytes, error: str, admin: Client
) -> None:
    response = uploaded(admin, content)

    page = heard_of(response)
    assert error in page
    assert "allowed is a text of at most 2,000,000 bytes in the layout ny-csv, ny-json, texas" in page
    assert response.context["preview"] is None
    assert not Draw.objects.exists()


@pytest.mark.parametrize(
    "packed",
    [
        "x",
        "\u00e9",
        encoded(b"no zlib"),
        encoded(zlib.compress(b"<p>")),
        encoded(zlib.compress(bytes(4_000_000))),
    ],
)
def test_a_confirmation_that_carries_no_file_of_draws_imports_nothing(packed: str, admin: Client) -> None:
    page = admin.post(IMPORT, {"source": "bundled", "file_name": "a.csv", "packed": packed})

    assert page.status_code == 200
    assert "File: " in heard_of(page)
    assert not Draw.objects.exists()


def test_the_greatest_file_fits_into_the_confirming_form(admin: Client) -> None:
    line = "11/09/2022,07 14 24 30 56 07,2\r\n"
    content = "Draw Date,Winning Numbers,Multiplier\r\n" + line * ((MAX_BYTES - 40) // len(line))

    done = confirmed(admin, uploaded(admin, content))

    assert done.status_code == 200
    assert Draw.objects.count() == 1


def test_upload_needs_permission_to_add_draws() -> None:
    assert uploaded(staff_who_may("change_draw"), NY).status_code == 403
    editor = client_of("editor", Permission.objects.get(codename="add_draw"))
    assert uploaded(editor, NY).status_code == 200


def test_a_form_without_its_token_is_refused() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))

    assert uploaded(strict, NY).status_code == 403
    assert "csrfmiddlewaretoken" in strict.get(IMPORT).content.decode()
    assert 'enctype="multipart/form-data"' in strict.get(IMPORT).content.decode()
