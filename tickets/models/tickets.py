"""Pre-generated tickets."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from predictions.modes.registry import MODE_NAMES
from tickets.models.claims import MODE_CHOICES, Claim
from tickets.models.generation import TicketBatch
from tickets.models.number_query import NumberQuery


class PreGeneratedTicketQuerySet(models.QuerySet["PreGeneratedTicket"]):
    """Records its filters for `tickets.admin.ticket_lookup`."""

    filters: dict[str, object] = {}
    age_filters: dict[str, object] = {}
    number_query: NumberQuery | None = None

    def _clone(self) -> "PreGeneratedTicketQuerySet":
        clone: PreGeneratedTicketQuerySet = super()._clone()  # type: ignore[misc]
        clone.filters, clone.age_filters, clone.number_query = (
            self.filters,
            self.age_filters,
            self.number_query,
        )
        return clone

    def of_batch(self, batch: TicketBatch) -> "PreGeneratedTicketQuerySet":
        """Filter by batch, and by its run and mode so that idx_pre_generated_pipeline_run is used."""
        return self.filter(pipeline_run_id=batch.run.pipeline_run_id, mode=batch.mode, batch=batch)

    def filter_keeping_id_order(self, **values: object) -> "PreGeneratedTicketQuerySet":
        """Filter by non-NULL values that tickets share with their batches, reading in id order.

        With an index on these columns, the database would read and sort a million tickets of a mode
        to return a hundred. Coalesce prevents that.
        """
        tickets = self._filter_unindexed(values)
        tickets.filters = self.filters | values
        return tickets

    def created_between(self, **bounds: object) -> "PreGeneratedTicketQuerySet":
        tickets = self._filter_unindexed(bounds)
        tickets.age_filters = self.age_filters | bounds
        return tickets

    def without_filters(self) -> "PreGeneratedTicketQuerySet":
        """Remove all filters except those by numbers and age."""
        tickets = PreGeneratedTicket.objects.all()
        if self.age_filters:
            tickets = tickets.created_between(**self.age_filters)
        return tickets if self.number_query is None else tickets.with_numbers(self.number_query)

    def _filter_unindexed(self, conditions: dict[str, object]) -> "PreGeneratedTicketQuerySet":
        tickets = self.all()
        for name, value in conditions.items():
            field, *lookup = name.split("__")
            tickets = tickets.alias(**{f"{field}_unindexed": Coalesce(F(field), F(field))})
            tickets = tickets.filter(**{"__".join([f"{field}_unindexed", *lookup]): value})
        return tickets

    def with_numbers(self, query: NumberQuery) -> "PreGeneratedTicketQuerySet":
        white_balls, powerball = query
        tickets = self.all() if powerball is None else self.filter(powerball=powerball)
        spare = 5 - len(white_balls)
        for position, ball in enumerate(white_balls, start=1):  # ascending, so few columns are possible
            condition = Q()
            for column in range(position, position + spare + 1):
                condition |= Q(**{f"n{column}": ball})
            tickets = tickets.filter(condition)
        tickets.number_query = query
        return tickets


class PreGeneratedTicket(models.Model):
    """One ticket for one draw. Rows are inserted and deleted only by `tickets.store`.

    The specification prescribes the table, its columns, types, defaults, checks and index names.
    """

    mode = models.TextField(choices=MODE_CHOICES)
    pipeline_run_id = models.TextField(null=True, blank=True)  # noqa: DJ001 - column of the specified schema
    n1 = models.IntegerField()
    n2 = models.IntegerField()
    n3 = models.IntegerField()
    n4 = models.IntegerField()
    n5 = models.IntegerField()
    powerball = models.IntegerField()
    confidence_score = models.FloatField(default=0.5, db_default=0.5)
    strategy_used = models.TextField(null=True, blank=True)  # noqa: DJ001 - column of the specified schema
    metadata = models.TextField(null=True, blank=True)  # noqa: DJ001 - column of the specified schema
    created_at = models.DateTimeField(default=timezone.now, db_default=Now())
    draw_date = models.DateField()
    batch = models.ForeignKey(TicketBatch, on_delete=models.PROTECT, db_index=False, related_name="tickets")
    claim = models.ForeignKey(
        Claim, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="tickets"
    )

    objects = PreGeneratedTicketQuerySet.as_manager()

    class Meta:
        db_table = "pre_generated_tickets"
        ordering = ["-created_at", "-id"]
        verbose_name = "ticket"
        indexes = [
            # For `cached` and claims: the newest or oldest unclaimed tickets of a mode and draw.
            models.Index(
                "mode",
                "draw_date",
                "claim",
                F("created_at").desc(),
                F("id").desc(),
                name="idx_pre_generated_mode",
            ),
            # For `batch-status` (oldest and newest ticket) and cleanup by age.
            models.Index(F("created_at").desc(), name="idx_pre_generated_created_at"),
            # For purge, verification and admin: the tickets of a batch.
            models.Index(fields=["pipeline_run_id", "mode"], name="idx_pre_generated_pipeline_run"),
            # For cleanup of claimed tickets, which goes by draw date.
            models.Index(
                fields=["draw_date", "id"],
                name="idx_pre_generated_claimed",
                condition=Q(claim__isnull=False),
            ),
        ]
        constraints = [
            # A ticket exists once per draw, over all modes.
            models.UniqueConstraint(
                name="one_ticket_a_draw",
                fields=["draw_date", "n1", "n2", "n3", "n4", "n5", "powerball"],
            ),
            models.CheckConstraint(
                name="ticket_white_balls_ascending",
                condition=Q(n1__lt=F("n2"), n2__lt=F("n3"), n3__lt=F("n4"), n4__lt=F("n5")),
            ),
            models.CheckConstraint(name="ticket_white_balls_in_range", condition=Q(n1__gte=1, n5__lte=69)),
            models.CheckConstraint(
                name="ticket_powerball_in_range", condition=Q(powerball__gte=1, powerball__lte=26)
            ),
            models.CheckConstraint(name="ticket_mode_known", condition=Q(mode__in=MODE_NAMES)),
            models.CheckConstraint(
                name="ticket_confidence_in_range",
                condition=Q(confidence_score__gte=0, confidence_score__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{' '.join(map(str, self.white_balls))} +{self.powerball}"

    @property
    def white_balls(self) -> list[int]:
        return [self.n1, self.n2, self.n3, self.n4, self.n5]
