"""The admin's pages for scores: what batches won beside what was expected, and each mode over its draws."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from predictions.admin.balls import BALLS_CSS, render_row_balls
from predictions.models import Draw
from predictions.powerball import PRIZE_TIERS, PrizeTier, prize_of
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import (
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    minute_text,
)
from tickets.models.scores import BatchScore
from tickets.scoring.results import MIN_DRAWS, mode_results

ONE_DRAW = (
    "One draw says nothing about a mode: all tickets of a batch meet the same numbers. A mode is judged over "
    f"{MIN_DRAWS} scored draws or more."
)
MONEY = "by the fixed prizes; jackpots are counted and not priced"
SHOWN = ("drawn", "scored", "tickets", "purged", "tiers", "money", "says")


class ScorePage(ReadOnlyAdminMixin):
    """How a score is shown, on its own page and on its batch's."""

    @admin.display(description="draw")
    def drawn(self, score: BatchScore) -> str:
        numbers = format_html("{}: {}", score.draw_date, render_row_balls(score))
        draw = Draw.objects.filter(draw_date=score.draw_date).first()
        if draw is None or score.matches(draw):
            return numbers
        return format_html("{}; the draw was corrected since, so this score does not count", numbers)

    @admin.display(description="scored (UTC)")
    def scored(self, score: BatchScore) -> str:
        return minute_text(score.scored_at)

    @admin.display(description="tickets in each prize tier")
    def tiers(self, score: BatchScore) -> str:
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (tier, _prize(tier), f"{count:,}", f"{float(score.tickets / tier.odds_one_in):,.2f}")
                for tier, count in zip(PRIZE_TIERS, score.tiers, strict=True)
            ),
        )
        return format_html(
            "<table><thead><tr><th>White balls + Powerball</th><th>Prize</th><th>Won</th>"
            "<th>Expected</th></tr></thead><tbody>{}</tbody></table>",
            rows,
        )

    @admin.display(description="prizes beside what is expected")
    def money(self, score: BatchScore) -> str:
        won, expected, cost = score.prize_usd, score.expected_usd, score.cost_usd
        return f"${won:,} won, ${expected:,.2f} expected, ${cost:,} paid; {MONEY}"

    @admin.display(description="what it says")
    def says(self, score: BatchScore) -> str:
        return ONE_DRAW


def _prize(tier: PrizeTier) -> str:
    prize = prize_of(tier.white_matches, tier.powerball_match)
    return prize if isinstance(prize, str) else f"${prize:,}"


class ScoreInline(ScorePage, admin.StackedInline):
    model = BatchScore
    fields = readonly_fields = SHOWN
    verbose_name_plural = "score"
    extra = 0  # a batch without a score shows none

    class Media:
        css = BALLS_CSS


@admin.register(BatchScore)
class BatchScoreAdmin(ScorePage, RememberedFiltersAdmin):
    list_display = [
        "batch_id",
        "mode",
        date_column("draw_date"),
        "numbers",
        "how_many",
        "won_unbroken",
        "prize",
        "expected",
        "cost",
        datetime_column("scored_at", "scored"),
    ]
    fields = readonly_fields = ("of_batch", *SHOWN)
    list_filter = ["batch__mode", DrawDateFilter]
    date_hierarchy = "draw_date"
    list_select_related = ["batch__run"]
    change_list_template = "admin/tickets/batchscore/change_list.html"

    class Media:
        css = BALLS_CSS

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = (extra_context or {}) | {
            "modes": [one for one in mode_results() if one.draws],
            "one_draw": ONE_DRAW,
            "money": MONEY,
        }
        return super().changelist_view(request, context)

    @admin.display(description="batch")
    def of_batch(self, score: BatchScore) -> str:
        address = reverse("admin:tickets_ticketbatch_change", args=[score.batch_id])
        return format_html('<a href="{}">{} in run {}</a>', address, score.batch, score.batch.run)

    @admin.display(ordering="batch__mode")
    def mode(self, score: BatchScore) -> str:
        return score.batch.mode

    @admin.display(description="drawn")
    def numbers(self, score: BatchScore) -> str:
        return render_row_balls(score)

    @admin.display(description="tickets", ordering="tickets")
    def how_many(self, score: BatchScore) -> str:
        return f"{score.tickets:,}"

    @admin.display(description="won")
    def won_unbroken(self, score: BatchScore) -> str:
        """Each tier unbroken in its narrow column."""
        return score.won.replace(": ", ":\N{NO-BREAK SPACE}")

    @admin.display(description="prize", ordering="prize_usd")
    def prize(self, score: BatchScore) -> str:
        return f"${score.prize_usd:,}"

    @admin.display(description="expected", ordering="tickets")
    def expected(self, score: BatchScore) -> str:
        return f"${score.expected_usd:,.2f}"

    @admin.display(description="cost", ordering="tickets")
    def cost(self, score: BatchScore) -> str:
        return f"${score.cost_usd:,}"
