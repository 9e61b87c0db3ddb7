"""Deletion of wrong draws: deleted dependents, kept rows, and the log."""

from datetime import date

import pytest
from django.core.management.base import CommandError
from django.db.models import Model
from django.test import TestCase

from predictions.draws import deletion as draw_deletion
from predictions.draws.deletion import (
    DependentKind,
    clean_reason,
    delete_draws,
    draws_to_delete,
    preview_deletion,
    register_dependents,
)
from predictions.evaluation.log_loss import evaluate_predictions
from predictions.models import Draw, Feed, Prediction, RandomnessReport, StrategyShares, TrainedModel
from predictions.training import strategy_shares
from predictions.training.strategy_shares import reset_shares, update_shares
from tests.commands import call
from tests.factories import make_draw, make_prediction, make_report, tilted_component

pytestmark = pytest.mark.django_db

WEDNESDAY, SATURDAY, MONDAY = date(2025, 12, 17), date(2025, 12, 20), date(2025, 12, 22)
HIGH, LOW = (60, 61, 62, 63, 64), (1, 2, 3, 4, 5)


def prediction_of(day: date) -> Prediction:
    return make_prediction("v1", day, [tilted_component("frequency_weighted")])


def shares_of_days() -> list[date]:
    rows = StrategyShares.objects.filter(origin="draw").order_by("draw_date")
    return list(rows.values_list("draw_date", flat=True))


@pytest.fixture
def three_draws() -> None:
    """Three draws that updated the shares and on which predictions were evaluated."""
    for day in (WEDNESDAY, SATURDAY, MONDAY):
        prediction_of(day)
        make_draw(day, HIGH if day == SATURDAY else LOW)
    update_shares()
    evaluate_predictions()


def delete(*days: date, reason: str = "another game") -> draw_deletion.Deletion:
    with TestCase.captureOnCommitCallbacks(execute=True):
        return delete_draws(days, reason, "test")


@pytest.mark.usefixtures("three_draws")
def test_only_the_named_draw_is_deleted() -> None:
    deletion = delete(SATURDAY)

    assert [str(draw) for draw in deletion.draws] == ["2025-12-20: 60 61 62 63 64 +7"]
    assert set(Draw.objects.values_list("draw_date", flat=True)) == {WEDNESDAY, MONDAY}


@pytest.mark.usefixtures("three_draws")
def test_shares_from_the_draw_on_are_deleted_and_computed_again_from_the_others() -> None:
    delete(SATURDAY)
    assert shares_of_days() == [WEDNESDAY]

    update_shares()

    assert shares_of_days() == [WEDNESDAY, MONDAY]
    corrected = StrategyShares.objects.get(draw_date=MONDAY).shares
    StrategyShares.objects.all().delete()
    update_shares()
    assert StrategyShares.objects.get(draw_date=MONDAY).shares == corrected


@pytest.mark.usefixtures("three_draws")
def test_shares_after_a_reset_do_not_depend_on_a_draw_before_it() -> None:
    StrategyShares.objects.filter(draw_date=MONDAY).delete()
    reset = reset_shares(SATURDAY)
    update_shares()

    delete(WEDNESDAY)

    assert shares_of_days() == [MONDAY]
    assert StrategyShares.objects.filter(pk=reset.pk).exists()


@pytest.mark.usefixtures("three_draws")
def test_draw_without_share_update_leaves_the_shares() -> None:
    make_draw(date(2025, 12, 15))

    delete(date(2025, 12, 15))

    assert shares_of_days() == [WEDNESDAY, SATURDAY, MONDAY]


@pytest.mark.usefixtures("three_draws")
def test_predictions_and_models_stay_and_only_the_draws_own_losses_go() -> None:
    delete(SATURDAY)

    saturday, monday = (Prediction.objects.get(draw_date=day) for day in (SATURDAY, MONDAY))
    assert (saturday.evaluated_at, saturday.log_loss, saturday.white_log_loss) == (None, None, None)
    assert monday.log_loss is not None
    assert (Prediction.objects.count(), TrainedModel.objects.count()) == (3, 3)
    make_draw(SATURDAY, LOW)
    assert evaluate_predictions() == [saturday]


@pytest.mark.usefixtures("three_draws")
def test_the_report_over_a_deleted_newest_draw_goes_since_it_would_stay_the_newest() -> None:
    make_report(200, draws_through=SATURDAY)
    make_report(210, draws_through=MONDAY)

    delete(MONDAY)

    assert RandomnessReport.objects.get().draws_through == SATURDAY


@pytest.mark.usefixtures("three_draws")
def test_the_preview_names_every_dependent_and_changes_nothing() -> None:
    deletion = preview_deletion(draws_to_delete([SATURDAY]))

    assert {dependents.name: dependents.count for dependents in deletion.dependents} == {
        "evaluated predictions": 1,
        "strategy shares": 2,
        "predictions made with these draws": 3,
        "models trained on these draws": 3,
        "running pipeline runs": 1,  # for Monday
    }
    shares = next(rows for rows in deletion.dependents if rows.name == "strategy shares")
    assert shares.examples == ["v1 from 2025-12-20 on", "v1 from 2025-12-22 on"]
    assert Draw.objects.count() == 3
    assert shares_of_days() == [WEDNESDAY, SATURDAY, MONDAY]


def test_nothing_learns_from_a_draw_of_an_earlier_era() -> None:
    make_draw(date(2014, 1, 4))
    make_prediction()

    assert preview_deletion(draws_to_delete([date(2014, 1, 4)])).dependents == []


@pytest.mark.usefixtures("three_draws")
def test_a_feed_that_is_unchanged_is_read_again_after_a_deletion() -> None:
    Feed.objects.create(url="http://feed", etag='"v1"', fetched_at="2026-11-24T12:00Z")

    delete(SATURDAY)

    assert Feed.objects.get().etag == ""


@pytest.mark.usefixtures("three_draws")
def test_failed_removal_of_a_dependent_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(rows: object) -> None:
        raise RuntimeError("not removable")

    monkeypatch.setattr(draw_deletion, "_kinds", list(draw_deletion._kinds))
    register_dependents(DependentKind("others", "deleted", lambda days: Draw.objects.all(), fail))

    with pytest.raises(RuntimeError, match="not removable"):
        delete(SATURDAY)

    assert Draw.objects.count() == 3
    assert shares_of_days() == [WEDNESDAY, SATURDAY, MONDAY]
    assert Prediction.objects.filter(evaluated_at=None).count() == 0


@pytest.mark.usefixtures("three_draws")
def test_the_log_has_one_line_with_the_numbers_and_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    delete(SATURDAY, reason="NY Lotto\n2026-12-01 ERROR forged\x00\x1b[31m \ud800")

    (line,) = [record.message for record in caplog.records if record.name == "predictions.draws.deletion"]
    assert line.startswith(
        "Draws deleted by test: 1 draw (2025-12-20: 60 61 62 63 64 +7) from 'test'; "
        "evaluated predictions: 1 (kept; their log-losses are removed until the draws are stored again); "
        "strategy shares: 2 (deleted; "
    )
    assert line.endswith("Reason: NY Lotto 2026-12-01 ERROR forged\\x00\\x1b[31m \\ud800")


@pytest.mark.parametrize("reason", ["", "  ", "\n\t", "\x00\x1b", "\ud800"])
@pytest.mark.usefixtures("three_draws")
def test_a_blank_reason_is_refused(reason: str) -> None:
    with pytest.raises(ValueError, match="a reason is required"):
        delete(SATURDAY, reason=reason)
    assert Draw.objects.count() == 3


def test_a_long_reason_is_cut() -> None:
    assert len(clean_reason("a" * 10_000)) == 500


@pytest.mark.usefixtures("three_draws")
def test_one_date_without_a_draw_refuses_all() -> None:
    with pytest.raises(ValueError, match="no draw of 2025-12-24 is stored"):
        delete(SATURDAY, date(2025, 12, 24))
    assert Draw.objects.count() == 3


@pytest.mark.usefixtures("three_draws")
def test_a_draw_deleted_while_the_shares_are_computed_moves_nothing() -> None:
    StrategyShares.objects.all().delete()
    draw, prediction = Draw.objects.get(draw_date=MONDAY), Prediction.objects.get(draw_date=MONDAY)
    delete(MONDAY)

    assert strategy_shares._apply_draw(prediction, draw) == (None, False)
    assert not StrategyShares.objects.exists()


# The command


@pytest.mark.usefixtures("three_draws")
def test_the_command_deletes_every_draw_of_a_source() -> None:
    Draw.objects.exclude(draw_date=MONDAY).update(source="lotto.csv")

    out, _ = call("delete_draws", "--source", "lotto.csv", "--reason", "another game")

    assert out.splitlines()[:2] == [
        "2025-12-17: 1 2 3 4 5 +7, from 'lotto.csv'",
        "2025-12-20: 60 61 62 63 64 +7, from 'lotto.csv'",
    ]
    assert out.splitlines()[-1] == "Deleted 2 draws."
    assert Draw.objects.get().draw_date == MONDAY


@pytest.mark.usefixtures("three_draws")
def test_a_dry_run_of_the_command_changes_nothing() -> None:
    out, _ = call("delete_draws", "--date", "2025-12-20", "--reason", "wrong", "--dry-run")

    assert "strategy shares: 2 (deleted; the next pipeline run computes them again" in out
    assert out.splitlines()[-1] == "Would delete 1 draw (dry run)."
    assert Draw.objects.count() == 3
    assert len(shares_of_days()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reason", "wrong"], "name the dates or the source"),
        (["--date", "2025-12-24", "--reason", "wrong"], "no draw of 2025-12-24 is stored"),
        (["--source", "mars", "--reason", "wrong"], "no draw from 'mars' is stored"),
        (["--source", "\udcff\0", "--reason", "wrong"], "no draw from '.*' is stored"),
        (["--date", "2025-12-20", "--reason", " "], "a reason is required"),
    ],
)
@pytest.mark.usefixtures("three_draws")
def test_command_names_the_error_and_exits_1(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as raised:
        call("delete_draws", *arguments)
    assert raised.value.returncode == 1
    assert Draw.objects.count() == 3


def test_every_row_that_refers_to_a_draw_is_known_here() -> None:
    """A foreign key to Draw would need a DependentKind."""
    related: list[type[Model]] = [field.related_model for field in Draw._meta.related_objects]
    assert related == []
