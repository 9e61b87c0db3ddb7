"""How much likelihood a stored prediction gave to the draw that came: exact, once the draw is known."""

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from predictions.distributions.components import components_from_json, log_loss
from predictions.models import Draw, Prediction


def evaluate_predictions() -> list[Prediction]:
    """Take the log-loss of every prediction whose draw has become known, or was corrected since."""
    known = Draw.objects.filter(draw_date=OuterRef("draw_date"))
    predictions = Prediction.objects.annotate(
        known=Exists(known), corrected=Exists(known.filter(updated_at__gt=OuterRef("evaluated_at")))
    )
    evaluated: list[Prediction] = []
    for prediction in predictions.filter(Q(evaluated_at=None, known=True) | Q(corrected=True)).order_by("id"):
        with transaction.atomic():
            # Locked, so that a draw deleted meanwhile leaves no loss behind.
            draw = Draw.objects.select_for_update().filter(draw_date=prediction.draw_date).first()
            if draw is not None:
                evaluate(prediction, draw)
                evaluated.append(prediction)
    return evaluated


def evaluate(prediction: Prediction, draw: Draw) -> None:
    """Store a prediction's exact loss on its draw, in nats."""
    loss = log_loss(components_from_json(prediction.components), draw.white_balls, draw.powerball)
    prediction.log_loss = loss.joint
    prediction.white_log_loss = loss.white
    prediction.powerball_log_loss = loss.powerball
    prediction.evaluated_at = timezone.now()
    prediction.save(update_fields=["log_loss", "white_log_loss", "powerball_log_loss", "evaluated_at"])
