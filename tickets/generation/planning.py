"""Everything that a batch's tickets depend on, fixed once, before the first of them is drawn."""

import secrets

from django.utils import timezone

from predictions.distributions.sampling import SAMPLER_VERSION, deal
from predictions.models import Prediction, lease_expiry
from tickets.models import TicketBatch


def freeze_recipe(batch: TicketBatch) -> str:
    """Fix the prediction, the seed and the counts of a batch, unsaved; why it cannot be made, or nothing."""
    prediction = Prediction.objects.newest(batch.mode, batch.draw_date)
    if prediction is None:
        return (
            f"no prediction of {batch.mode} for the draw of {batch.draw_date}; run `manage.py run_pipeline`"
        )
    batch.redeliver_after = lease_expiry(timezone.now())
    batch.prediction = prediction
    batch.seed = secrets.randbits(62)
    batch.sampler_version = SAMPLER_VERSION
    batch.component_counts = deal([one["share"] for one in prediction.components], batch.requested)
    return ""
