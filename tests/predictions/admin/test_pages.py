"""Tests of the admin pages of draws, runs, models and predictions, and of the import and run actions."""

from datetime import date

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from predictions.admin.prediction_charts import probability_charts
from predictions.distributions.components import inclusion_probabilities, uniform_component
from predictions.draws import download
from predictions.draws.bundled import BUNDLED_DRAWS
from predictions.draws.sources import import_source, upcoming_draw
from predictions.models import Draw, PipelineRun, Prediction, new_run_id
from predictions.modes.registry import MODE_NAMES
from tests.factories import (
    WEDNESDAY,
    component_with,
    make_draw,
    make_model,
    make_prediction,
    tilted_component,
)
from tests.feed_server import NY_CSV, Answer, FeedServer
from tests.staff import heard_of, staff_who_may, superuser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("on_tuesday")]

ADMIN = "/admin/predictions"
IMPORT = f"{ADMIN}/draw/import/"
RUN = f"{ADMIN}/pipelinerun/run/"


@pytest.fixture
def admin() -> Client:
    return superuser()


def text(client: Client, url: str, data: dict[str, object] | None = None) -> str:
    response = client.get(url, data)
    assert response.status_code == 200
    return response.content.decode()


# Pages


def test_prediction_is_plotted_per_ball_against_uniform(admin: Client) -> None:
    prediction = make_prediction()

    page = text(admin, f"{ADMIN}/prediction/{prediction.pk}/change/")

    assert page.count('<rect class="bar style-1"') == 69 + 26 + 2  # with the keys
    assert "5/69" in page
    assert "1/26" in page
    assert "not a chance of winning" in page
    assert "1 in 292,201,338" in page
    ball_69 = inclusion_probabilities(tilted_component())[68]
    assert f'<th scope="row">69</th><td>{ball_69:.2%}</td>' in page
    assert page.count('role="img"') == 2


def test_a_mixtures_bars_weigh_its_components_by_share() -> None:
    halves = [tilted_component("a", 0.25), component_with(strategy="b", share=0.75)]

    white, powerball = probability_charts(halves)

    tilted = inclusion_probabilities(tilted_component())
    assert [texts[0] for _, texts in white.rows] == [
        f"{0.25 * probability + 0.75 * 5 / 69:.2%}" for probability in tilted
    ]
    weights = tilted_component().powerball
    assert powerball.rows[25][1][0] == f"{0.25 * weights[25] / sum(weights) + 0.75 / 26:.2%}"


def test_uniform_bars_reach_the_uniform_line_exactly() -> None:
    for chart in probability_charts([uniform_component()]):
        assert {bar.y for bar in chart.rects} == {chart.reference_y}
        assert {texts[1] for _, texts in chart.rows} == {"1.000"}


def test_invalid_prediction_has_a_page_that_says_so(admin: Client) -> None:
    prediction = make_prediction()
    Prediction.objects.update(components=[{"strategy": "half"}])

    page = text(admin, f"{ADMIN}/prediction/{prediction.pk}/change/")

    assert "This prediction is invalid" in page
    assert "<rect" not in page


def test_a_prediction_that_is_not_there_leads_home(admin: Client) -> None:
    assert admin.get(f"{ADMIN}/prediction/99/change/").status_code == 302


def test_a_steps_figures_can_be_read(admin: Client) -> None:
    run = make_prediction().run
    detail = {"trained": {"v1": {"seconds": 1.5}}, "white": [3, 4], "errors": {}, "<b>": "<i>"}
    run.steps.create(number=5, name="training", status="completed", summary="done", detail=detail)

    page = text(admin, f"{ADMIN}/pipelinerun/{run.pk}/change/")

    assert "<li>trained: <ul><li>v1: <ul><li>seconds: 1.5</li></ul></li></ul></li>" in page
    for line in ("white: 3, 4", "errors: none", "&lt;b&gt;: &lt;i&gt;"):  # in any order
        assert f"<li>{line}</li>" in page


def test_model_page_shows_skill_with_standard_error(admin: Client) -> None:
    skill = {"log_loss": 19.4951, "skill_se": 0.0021, "uniform_log_loss": 19.4930}
    unclear, worse = make_model(skill=skill), make_model(skill=skill | {"skill_se": 0.0001})

    assert "-0.0021\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.0021" in text(admin, f"{ADMIN}/trainedmodel/")
    page = text(admin, f"{ADMIN}/trainedmodel/{unclear.pk}/change/")
    assert "indistinguishable from chance" in page
    assert "worse than chance" in text(admin, f"{ADMIN}/trainedmodel/{worse.pk}/change/")


@pytest.mark.parametrize("model", ["pipelinerun", "prediction"])
@pytest.mark.parametrize(("day", "count"), [("2026-11-25", 1), ("2026-11-28", 0)])
def test_lists_are_filtered_by_draw(model: str, day: str, count: int, admin: Client) -> None:
    make_prediction()

    response = admin.get(f"{ADMIN}/{model}/", {"draw_date": day})

    assert response.context["cl"].result_count == count


@pytest.mark.parametrize("day", ["soon", "2026-13-01", ""])
def test_a_draw_filter_that_is_no_date_is_refused_politely(day: str, admin: Client) -> None:
    make_prediction()

    response = admin.get(f"{ADMIN}/prediction/", {"draw_date": day}, follow=True)

    assert (response.status_code, response.redirect_chain) == (200, [(f"{ADMIN}/prediction/?e=1", 302)])


def test_dates_in_lists_are_iso(admin: Client) -> None:
    prediction = make_prediction()

    page = text(admin, f"{ADMIN}/prediction/")

    assert ">2026-11-25</span>" in page
    assert f">{prediction.created_at:%Y-%m-%d}</span> {prediction.created_at:%H:%M}" in page


@pytest.mark.parametrize("model", ["draw", "pipelinerun", "prediction", "trainedmodel"])
def test_number_of_queries_does_not_depend_on_the_rows(model: str, admin: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(admin, f"{ADMIN}/{model}/")
        return len(captured)

    make_prediction()
    Draw.objects.create(draw_date=date(2025, 12, 22), n1=1, n2=2, n3=3, n4=4, n5=5, powerball=6, source="ny")
    once = queries()
    for day in range(1, 6):
        make_prediction(draw_date=date(2026, 11, day))
        Draw.objects.create(
            draw_date=date(2025, 12, day), n1=1, n2=2, n3=3, n4=4, n5=5, powerball=6, source="ny"
        )

    assert queries() == once


def test_the_browser_finds_its_icon(client: Client) -> None:
    response = client.get("/favicon.ico")

    assert (response.status_code, response["Content-Type"]) == (200, "image/svg+xml")


def test_draws_are_drawn_as_balls(admin: Client) -> None:
    draw = make_draw()

    for page in (admin.get(f"{ADMIN}/draw/"), admin.get(f"{ADMIN}/draw/{draw.pk}/change/")):
        assert "5 12 33 41 60 Powerball 7" in heard_of(page)
        assert page.content.decode().count('class="ball"') == 5
        assert page.content.decode().count('class="ball powerball"') == 1
        assert "predictions/balls.css" in page.content.decode()


# Import draws


def test_the_imports_preview_reports_and_stores_nothing(admin: Client) -> None:
    page = text(admin, IMPORT, {"source": "bundled"})

    assert f"bundled: {BUNDLED_DRAWS} read, {BUNDLED_DRAWS} new" in page
    assert f"Import {BUNDLED_DRAWS} draws" in page
    assert not Draw.objects.exists()


def test_a_confirmed_import_stores_reports_and_is_logged(admin: Client) -> None:
    response = admin.post(IMPORT, {"source": "bundled"}, follow=True)

    assert response.redirect_chain == [(f"{ADMIN}/draw/", 302)]
    assert f"{BUNDLED_DRAWS} new" in response.content.decode()
    assert Draw.objects.count() == BUNDLED_DRAWS
    assert f"{BUNDLED_DRAWS} new" in LogEntry.objects.get().get_change_message()
    assert admin.get("/admin/").status_code == 200  # shows the log entry, which links to no object


def test_preview_lists_rows_that_would_be_rejected(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    import_source("bundled")
    body = f"{NY_CSV}11/09/2022,01 02 03 04 05 06,2\n11/10/2022,01 02 03 04 05 06,2\n"
    with FeedServer(Answer(body=body.encode())) as server:
        monkeypatch.setitem(download.URLS, "ny", server.url)
        page = heard_of(admin.get(IMPORT, {"source": "ny"}))
        done = admin.post(IMPORT, {"source": "ny"}, follow=True)

    assert "Rejected (not imported)" in page
    assert "line 3 2022-11-10 is a Thursday" in page
    assert "In conflict (not imported)" in page
    assert (
        "line 2 2022-11-09 7 14 24 30 56 Powerball 7 multiplier 2 1 2 3 4 5 Powerball 6 multiplier 2" in page
    )
    assert [str(message.tags) for message in done.context["messages"]] == ["warning"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_feed_that_cannot_be_read_is_a_message(
    method: str, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FeedServer(Answer(body=b"<html>")) as server:
        monkeypatch.setitem(download.URLS, "texas", server.url)
        response = getattr(admin, method)(IMPORT, {"source": "texas"})

    assert response.status_code == 200
    assert "The draws of texas cannot be imported:" in response.content.decode()
    assert response.context["preview"] is None
    assert not LogEntry.objects.exists()


def test_an_unknown_source_is_an_error_that_names_the_known(admin: Client) -> None:
    page = admin.post(IMPORT, {"source": "moon"}).content.decode()

    assert "Source: moon is not one; allowed are bundled, ny, texas." in page


# Run the pipeline


def test_the_runs_preview_enqueues_nothing_and_warns_when_no_cluster_is_alive(admin: Client) -> None:
    page = text(admin, RUN, {"source": "none", "modes": "random_forest"})

    assert (
        f"A run for the draw of <strong>{upcoming_draw()}</strong> with source <strong>none</strong>" in page
    )
    assert "no draw is stored" in page
    assert "No cluster is running" in page
    assert not PipelineRun.objects.exists()
    assert not OrmQ.objects.exists()


def test_a_confirmed_run_is_accepted_enqueued_and_logged_once(admin: Client) -> None:
    values = {"source": "none", "modes": "random_forest", "run_id": new_run_id("admin")}

    first = admin.post(RUN, values, follow=True)
    again = admin.post(RUN, values, follow=True)

    run = PipelineRun.objects.get()
    assert (run.source, run.modes, run.status) == ("none", ["random_forest"], "running")
    assert f"Run {run} for the draw of {run.draw_date} was enqueued." in first.content.decode()
    assert f"Run {run} already exists; nothing was enqueued." in again.content.decode()
    assert OrmQ.objects.count() == 1
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_id) == (ADDITION, str(run.pk))


def test_each_preview_has_a_unique_run_id(admin: Client) -> None:
    values = {"source": "none", "modes": "random_forest"}

    ids = [dict(admin.get(RUN, values).context["confirmed"])["run_id"] for _ in range(2)]

    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"source": "moon", "modes": "random_forest"}, "Source: moon is not one; allowed are ny, texas,"),
        ({"source": "none", "modes": "v9"}, f"Modes: v9 is not one; allowed are {', '.join(MODE_NAMES)}."),
        ({"source": "none"}, f"Modes: choose at least one; allowed are {', '.join(MODE_NAMES)}."),
        ({"source": "none", "modes": "random_forest", "run_id": "x" * 65}, "at most 64 characters"),
    ],
)
def test_a_bad_order_is_an_error_at_its_field(values: dict[str, str], error: str, admin: Client) -> None:
    for method in (admin.get, admin.post):
        response = method(RUN, values)
        assert response.status_code == 200
        assert error in response.content.decode()

    assert not PipelineRun.objects.exists()


def test_an_id_that_names_another_run_is_a_message(admin: Client) -> None:
    other = make_prediction(draw_date=WEDNESDAY).run

    values = {"source": "bundled", "modes": "random_forest", "run_id": other.pipeline_run_id}

    assert "belongs to a run with source none" in admin.post(RUN, values).content.decode()
    assert PipelineRun.objects.count() == 1


# Permissions


ACTIONS = pytest.mark.parametrize(
    ("page", "permission", "values"),
    [
        (IMPORT, "add_draw", {"source": "bundled"}),
        (RUN, "add_pipelinerun", {"source": "none", "modes": "random_forest"}),
    ],
)


def listing(page: str) -> str:
    return page.rsplit("/", 2)[0] + "/"


@ACTIONS
def test_staff_without_the_permission_neither_see_open_nor_post_an_action(
    page: str, permission: str, values: dict[str, str]
) -> None:
    permissions = {"add_draw", "add_pipelinerun", "change_draw", "change_pipelinerun"} - {permission}
    other = staff_who_may(*permissions)

    assert page not in text(other, listing(page))
    for response in (other.get(page), other.get(page, values), other.post(page, values)):
        assert response.status_code == 403
    assert not Draw.objects.exists()
    assert not PipelineRun.objects.exists()


@ACTIONS
def test_staff_with_permission_can_open_and_submit_the_page(
    page: str, permission: str, values: dict[str, str]
) -> None:
    editor = staff_who_may(permission)

    assert f'href="{page}"' in text(editor, listing(page))
    assert editor.post(page, values).status_code == 302
    assert Draw.objects.exists() or PipelineRun.objects.exists()
