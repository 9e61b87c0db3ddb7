"""Admin pages for scores: prizes of batches and modes compared with their expectation."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from predictions.admin.balls import BALLS_CSS, render_row_balls
from predictions.models import Draw
from predictions.powerball import PRIZE_TIERS, PrizeTier, find_prize
from shiolplus.adminsite.changelist import RememberedFiltersAdmin
from shiolplus.adminsite.columns import (
    DrawDateFilter,
    ReadOnlyAdminMixin,
    date_column,
    datetime_column,
    format_minute,
)
from tickets.models.scores import BatchScore
from tickets.scoring.results import MIN_DRAWS, mode_results

ONE_DRAW = (
    "One draw says nothing about a mode, since all tickets of a batch are scored against the same numbers. "
    f"Modes are compared over at least {MIN_DRAWS} scored draws."
)
MONEY = "fixed prizes only; jackpots are counted, not valued"
SCORE_FIELDS = ("drawn", "scored", "tickets", "purged", "tiers", "money", "says")


class ScoreFieldsMixin(ReadOnlyAdminMixin):
    """Fields of a score, for its own page and the inline on its batch's page."""

    @admin.display(description="draw")
    def drawn(self, score: BatchScore) -> str:
        numbers = format_html("{}: {}", score.draw_date, render_row_balls(score))
        draw = Draw.objects.filter(draw_date=score.draw_date).first()
        if draw is None or score.matches(draw):
            return numbers
        return format_html("{}; outdated, the draw was corrected since", numbers)

    @admin.display(description="scored (UTC)")
    def scored(self, score: BatchScore) -> str:
        return format_minute(score.scored_at)

    @admin.display(description="tickets per prize tier")
    def tiers(self, score: BatchScore) -> str:
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (tier, prize_text(tier), f"{count:,}", f"{float(score.tickets / tier.odds_one_in):,.2f}")
                for tier, count in zip(PRIZE_TIERS, score.tiers, strict=True)
            ),
        )
        return format_html(
            "<table><thead><tr><th>White balls + Powerball</th><th>Prize</th><th>Won</th>"
            "<th>Expected</th></tr></thead><tbody>{}</tbody></table>",
            rows,
        )

    @admin.display(description="prizes vs. expected")
    def money(self, score: BatchScore) -> str:
        won, expected, cost = score.prize_usd, score.expected_usd, score.cost_usd
        return f"${won:,} won, ${expected:,.2f} expected, ${cost:,} paid; {MONEY}"

    @admin.display(description="interpretation")
    def says(self, score: BatchScore) -> str:
        return ONE_DRAW


def prize_text(tier: PrizeTier) -> str:
    prize = find_prize(tier.white_matches, tier.powerball_match)
    return prize if isinstance(prize, str) else f"${prize:,}"


class ScoreInline(ScoreFieldsMixin, admin.StackedInline):
    model = BatchScore
    fields = readonly_fields = SCORE_FIELDS
    verbose_name_plural = "score"
    extra = 0

    class Media:
        css = BALLS_CSS


@admin.register(BatchScore)
class BatchScoreAdmin(ScoreFieldsMixin, RememberedFiltersAdmin):
    list_display = [
        "batch_id",
        "mode",
        date_column("draw_date"),
        "numbers",
        "ticket_count",
        "won",
        "prize",
        "expected",
        "cost",
        datetime_column("scored_at", "scored"),
    ]
    fields = readonly_fields = ("batch_link", *SCORE_FIELDS)
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
            "modes": [result for result in mode_results() if result.draws],
            "one_draw": ONE_DRAW,
            "money": MONEY,
        }
        return super().changelist_view(request, context)

    @admin.display(description="batch")
    def batch_link(self, score: BatchScore) -> str:
        url = reverse("admin:tickets_ticketbatch_change", args=[score.batch_id])
        return format_html('<a href="{}">{} in run {}</a>', url, score.batch, score.batch.run)

    @admin.display(ordering="batch__mode")
    def mode(self, score: BatchScore) -> str:
        return score.batch.mode

    @admin.display(description="drawn")
    def numbers(self, score: BatchScore) -> str:
        return render_row_balls(score)

    @admin.display(description="tickets", ordering="tickets")
    def ticket_count(self, score: BatchScore) -> str:
        return f"{score.tickets:,}"

    @admin.display(description="won")
    def won(self, score: BatchScore) -> str:
        # Keeps each tier on one line of the narrow column.
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
