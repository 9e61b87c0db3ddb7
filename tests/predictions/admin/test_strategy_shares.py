"""Tests of the admin pages of strategy shares."""

from datetime import date

import pytest
from django.test import Client

from predictions.admin import strategy_shares
from predictions.admin.strategy_shares import share_chart
from predictions.models import StrategyShares
from predictions.modes.v1 import STRATEGIES
from predictions.training.strategy_shares import reset_shares
from tests.staff import staff_who_may, superuser

pytestmark = pytest.mark.django_db

SHARES = "/admin/predictions/strategyshares/"
SATURDAY, MONDAY, WEDNESDAY = date(2025, 12, 20), date(2025, 12, 22), date(2025, 12, 24)


@pytest.fixture
def admin() -> Client:
    return superuser()


def make_shares(draw_date: date, share: float) -> StrategyShares:
    """Create shares with this share of the first strategy and equal shares of the others."""
    rest = dict.fromkeys(STRATEGIES[1:], (1 - share) / 5)
    return StrategyShares.objects.create(
        mode="v1",
        origin="draw",
        draw_date=draw_date,
        shares={STRATEGIES[0]: share} | rest,
        log_losses={STRATEGIES[0]: 19.5},
    )


def test_the_list_plots_the_shares_from_draw_to_draw_above_their_rows(admin: Client) -> None:
    make_shares(SATURDAY, 0.2)
    make_shares(MONDAY, 0.3)

    page = admin.get(SHARES).content.decode()

    assert page.count('role="img"') == 1
    assert page.count("<polyline") == 6
    assert "frequency_weighted ends at 0.3000, cooccurrence ends at 0.1400" in page
    assert "equal shares" in page
    for cell in ("2025-12-20", "20.00%", "2025-12-22", "30.00%", "14.00%"):
        assert cell in page


def test_plot_has_one_point_per_draw_and_marks_resets() -> None:
    make_shares(WEDNESDAY, 0.3)
    make_shares(SATURDAY, 0.2)
    reset_shares(MONDAY)

    chart = share_chart()

    assert chart is not None
    assert [label for label, _ in chart.rows] == ["2025-12-20", "2025-12-22", "2025-12-24"]
    assert [texts[0] for _, texts in chart.rows] == ["0.2000", "0.1667", "0.3000"]
    assert chart.divider_xs == [chart.x_ticks[1].at]
    assert "dotted: resets" in chart.title


def test_of_a_long_history_the_newest_draws_are_plotted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy_shares, "PLOTTED", 2)
    for draw_date, share in ((SATURDAY, 0.2), (MONDAY, 0.25), (WEDNESDAY, 0.3)):
        make_shares(draw_date, share)

    chart = share_chart()

    assert chart is not None
    assert [label for label, _ in chart.rows] == ["2025-12-22", "2025-12-24"]


def test_a_first_draw_is_a_point(admin: Client) -> None:
    make_shares(SATURDAY, 0.2)

    assert "frequency_weighted ends at 0.2000" in admin.get(SHARES).content.decode()


def test_before_any_draw_there_is_no_plot(admin: Client) -> None:
    page = admin.get(SHARES).content.decode()

    assert 'role="img"' not in page
    assert "0 strategy shares" in page


def test_page_lists_share_and_log_loss_of_each_strategy(admin: Client) -> None:
    row = make_shares(SATURDAY, 0.2)

    page = admin.get(f"{SHARES}{row.pk}/change/").content.decode()

    assert "<td>frequency_weighted</td><td>20.00%</td><td>19.5000</td>" in page
    assert "<td>cooccurrence</td><td>16.00%</td><td>-</td>" in page


def test_strategy_shares_are_read_only() -> None:
    row = make_shares(SATURDAY, 0.2)
    editor = staff_who_may("add_strategyshares", "change_strategyshares", "delete_strategyshares")

    assert editor.get(f"{SHARES}add/").status_code == 403
    assert editor.post(f"{SHARES}{row.pk}/change/", {"origin": "reset"}).status_code == 403
    assert editor.post(f"{SHARES}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert StrategyShares.objects.get().origin == "draw"
