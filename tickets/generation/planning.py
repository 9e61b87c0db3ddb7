"""Planning: store on the row everything that the tickets of a batch depend on."""

import secrets

from django.utils import timezone

from predictions.distributions.sampling import SAMPLER_VERSION, split_by_share
from predictions.models import Prediction, lease_expiry
from tickets.models import TicketBatch


def freeze_recipe(batch: TicketBatch) -> str:
    """Set the prediction, seed and component counts of an unsaved batch.

    Return the reason if it cannot be generated, otherwise an empty string.
    """
    prediction = Prediction.objects.newest(batch.mode, batch.draw_date)
    if prediction is None:
        return (
            f"no prediction of {batch.mode} for the draw of {batch.draw_date}; run `manage.py run_pipeline`"
        )
    batch.redeliver_after = lease_expiry(timezone.now())
    batch.prediction = prediction
    batch.seed = secrets.randbits(62)
    batch.sampler_version = SAMPLER_VERSION
    shares = [component["share"] for component in prediction.components]
    batch.component_counts = split_by_share(shares, batch.requested)
    return ""
