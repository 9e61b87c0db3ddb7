"""Sales windows and claims per hour, including clock changes."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from predictions.powerball import draw_instant, sales_close, scheduled_draws
from tickets.demand.sales_window import HOURS, HourCount, SalesWindow, estimated_requests

CUTOFF = time(21, 59)
WEDNESDAY = date(2026, 11, 25)  # closes at 02:59 UTC on Thursday


def window(day: date = WEDNESDAY, cutoff: time = CUTOFF) -> SalesWindow:
    return SalesWindow.of(day, cutoff)


def count(hours_before: int, requested: int = 1, granted: int = 1, tickets: int = 1) -> HourCount:
    """Return the count of the hour that begins `hours_before` 03:00 UTC, when the last hour ends."""
    end = datetime(2026, 11, 26, 3, tzinfo=UTC)
    return HourCount(end - timedelta(hours=hours_before), requested, granted, tickets)


def test_a_sale_opens_with_the_draw_before_and_closes_at_the_cut_off() -> None:
    assert window().opened == draw_instant(date(2026, 11, 23))
    assert window().closed == sales_close(WEDNESDAY, CUTOFF)
    assert window().hours_to_close(window().closed) == pytest.approx(1 / 60)
    assert window().hours_to_close(window().opened) == pytest.approx(47 + 1 / 60)


def test_a_cut_off_on_the_hour_ends_that_hour() -> None:
    assert window(cutoff=time(21)).hours_to_close(window(cutoff=time(21)).closed) == 0


def test_hours_to_close_convert_to_an_instant_and_back() -> None:
    instant = datetime(2026, 11, 25, 12, 34, tzinfo=UTC)

    assert window().instant(window().hours_to_close(instant)) == instant


def test_every_sale_of_two_years_has_room_in_its_hours_and_is_exposed_as_long_as_it_lasts() -> None:
    for day in scheduled_draws(date(2025, 1, 1), date(2026, 12, 31)):
        history = window(day).history([])
        assert 0 <= history.closed < 1 < history.opened <= HOURS
        assert history.exposure.sum() == pytest.approx(
            (window(day).closed - window(day).opened) / timedelta(hours=1)
        )


def test_counts_are_summed_per_hour() -> None:
    history = window().history([count(1, 5, 4, 9), count(3), count(3, 2, 1, 7), count(48)])

    assert history.requested[[0, 1, 2, 47]].tolist() == [5, 0, 3, 1]
    assert history.requested.sum() == 9
    assert (history.weekday, history.granted, history.tickets) == (2, 7, 18)


def test_what_was_claimed_before_the_sale_opened_or_after_its_end_is_no_demand_of_its_hours() -> None:
    history = window().history([count(49), count(200), count(0)])

    assert not history.requested.any()
    assert history.granted == 0


@pytest.mark.parametrize(
    ("claims", "refused", "requested"), [(0, 0, 0), (5, 0, 5), (5, 3, 8), (5, 1000, 11), (0, 1000, 1)]
)
def test_of_the_refused_no_more_are_believed_than_were_granted_and_one(
    claims: int, refused: int, requested: int
) -> None:
    assert estimated_requests(claims, refused) == requested
