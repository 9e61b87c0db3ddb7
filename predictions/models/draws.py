"""Official draws and their feeds."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from predictions.models.fields import SafeCharField


class Draw(models.Model):
    """One official drawing; the white balls are stored in ascending order."""

    draw_date = models.DateField(unique=True, help_text="The scheduled date, US Eastern.")
    n1 = models.PositiveSmallIntegerField()
    n2 = models.PositiveSmallIntegerField()
    n3 = models.PositiveSmallIntegerField()
    n4 = models.PositiveSmallIntegerField()
    n5 = models.PositiveSmallIntegerField()
    powerball = models.PositiveSmallIntegerField()
    multiplier = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Power Play; not published by every feed."
    )
    source = SafeCharField(max_length=200, help_text="The feed or file it was imported from.")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-draw_date"]
        constraints = [
            models.CheckConstraint(
                name="draw_white_balls_ascending",
                condition=Q(n1__lt=F("n2"), n2__lt=F("n3"), n3__lt=F("n4"), n4__lt=F("n5")),
            ),
            # The union of all eras; an import checks the matrix of the draw's era.
            models.CheckConstraint(
                name="draw_balls_in_range",
                condition=Q(n1__gte=1, n5__lte=69, powerball__gte=1, powerball__lte=39),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draw_date}: {' '.join(map(str, self.white_balls))} +{self.powerball}"

    @property
    def white_balls(self) -> list[int]:
        return [self.n1, self.n2, self.n3, self.n4, self.n5]


class Feed(models.Model):
    """The ETag of a feed's last import, so that an unchanged feed is not downloaded again."""

    url = SafeCharField(max_length=500, unique=True)
    etag = SafeCharField(max_length=200)
    fetched_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.url
