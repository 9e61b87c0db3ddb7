"""Exact log-loss of stored predictions on their draws."""

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from predictions.distributions.components import components_from_json, log_loss
from predictions.models import Draw, Prediction


def evaluate_predictions() -> list[Prediction]:
    """Store the log-loss of predictions whose draw was imported, or corrected since their evaluation."""
    known = Draw.objects.filter(draw_date=OuterRef("draw_date"))
    predictions = Prediction.objects.annotate(
        known=Exists(known), corrected=Exists(known.filter(updated_at__gt=OuterRef("evaluated_at")))
    )
    evaluated: list[Prediction] = []
    for prediction in predictions.filter(Q(evaluated_at=None, known=True) | Q(corrected=True)).order_by("id"):
        with transaction.atomic():
            # Locked, so that no loss is stored for a draw deleted concurrently.
            draw = Draw.objects.select_for_update().filter(draw_date=prediction.draw_date).first()
            if draw is not None:
                evaluate(prediction, draw)
                evaluated.append(prediction)
    return evaluated


def evaluate(prediction: Prediction, draw: Draw) -> None:
    """Store the exact log-loss of a prediction on its draw, in nats."""
    loss = log_loss(components_from_json(prediction.components), draw.white_balls, draw.powerball)
    prediction.log_loss = loss.joint
    prediction.white_log_loss = loss.white
    prediction.powerball_log_loss = loss.powerball
    prediction.evaluated_at = timezone.now()
    prediction.save(update_fields=["log_loss", "white_log_loss", "powerball_log_loss", "evaluated_at"])
