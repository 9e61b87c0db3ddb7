"""The analytics step: one stored report per set of draws, and the step's outcome."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from predictions.draws.sources import load_draw_history
from predictions.models import Draw, PipelineStep, RandomnessReport
from predictions.pipeline.runner import accept_run
from predictions.pipeline.steps import STEPS, StepContext, StepFailed, StepOutcome

pytestmark = pytest.mark.usefixtures("real_draws")


def analytics(draw_date: date = date(2026, 11, 25)) -> StepOutcome:
    """Return the outcome of the step in a run for this draw, after the data step."""
    run, _ = accept_run(source="none", draw_date=draw_date, enqueue=False)
    context = StepContext(run)
    STEPS[PipelineStep.Name.DATA](context)
    return STEPS[PipelineStep.Name.ANALYTICS](context)


def test_step_summarizes_the_randomness_tests() -> None:
    outcome = analytics()

    assert outcome.status == "completed"
    assert outcome.summary == (
        "1288 draws; white balls chi-square 85.42 (p 0.075), Powerball 20.84 (p 0.70): "
        "no test differs from fair draws at the 5 % level after correction for 5 tests"
    )
    tests = outcome.detail["tests"]
    assert set(tests) == {"white", "powerball", "white_repeats", "powerball_repeats", "extreme_ball"}
    assert set(tests["white"]) == {"statistic", "p", "verdict"}
    assert tests["white"]["statistic"] == pytest.approx(85.4174, abs=1e-4)
    assert tests["white"]["p"] == pytest.approx(0.075175, abs=1e-6)
    assert tests["white_repeats"]["z"] == pytest.approx(-0.9072, abs=1e-4)


def test_the_report_is_stored_with_all_figures_and_named_by_the_step() -> None:
    outcome = analytics()

    report = RandomnessReport.objects.get()
    assert outcome.detail["report"] == report.pk
    assert (report.draws, report.draws_through) == (1288, date(2025, 12, 22))
    assert report.verdict in outcome.summary
    assert len(report.figures["white"]["ball_z"]) == 69
    assert report.figures["powerball"]["counts"] == list(outcome.detail["powerball"])
    assert str(report) == "1288 draws through 2025-12-22"


def test_the_same_draws_find_their_report_again() -> None:
    first = analytics()
    made = RandomnessReport.objects.get()

    again = analytics(draw_date=date(2026, 11, 28))

    assert RandomnessReport.objects.get() == made
    assert RandomnessReport.objects.get().created_at == made.created_at
    assert again.summary == first.summary
    assert again.detail["tests"] == first.detail["tests"]


def test_other_draws_have_a_separate_report_listed_first() -> None:
    analytics()
    earlier = analytics(draw_date=date(2025, 12, 20))

    assert earlier.detail["draws"] == 1286
    newest, older = RandomnessReport.objects.all()
    assert (newest.draws, older.draws) == (1288, 1286)
    assert earlier.detail["report"] == older.pk


def test_corrected_draw_leads_to_a_new_report() -> None:
    before = analytics()
    Draw.objects.filter(draw_date=date(2025, 12, 22)).update(powerball=1)

    after = analytics()

    assert after.detail["report"] != before.detail["report"]
    assert after.detail["tests"]["powerball"] != before.detail["tests"]["powerball"]


def test_too_few_draws_for_a_chi_square_have_no_p_value() -> None:
    outcome = analytics(draw_date=date(2016, 6, 4))  # 69 draws of the era: just enough for white balls

    assert "(too few draws for a p-value)" in outcome.summary.partition("Powerball")[2]
    assert outcome.summary.endswith("; too few draws to test Powerball counts, Powerball repeats")
    assert outcome.detail["tests"]["powerball"]["p"] is None
    figures = RandomnessReport.objects.get().figures
    assert figures["white"]["p"] is not None
    assert figures["powerball"]["p"] is None


def test_without_a_draw_the_step_fails_and_nothing_is_stored() -> None:
    run, _ = accept_run(source="none", enqueue=False)
    context = StepContext(run)
    context.draw_history = load_draw_history(before=date(2015, 10, 7))

    with pytest.raises(StepFailed, match="no draw to report on"):
        STEPS[PipelineStep.Name.ANALYTICS](context)

    assert not RandomnessReport.objects.exists()


def test_the_database_refuses_a_second_report_of_the_same_draws() -> None:
    analytics()
    copy = RandomnessReport.objects.get()
    copy.pk = None

    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save(force_insert=True)
