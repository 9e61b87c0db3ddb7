"""The two signals: each joins predictions to tickets, which must not know each other.

Whoever learns and whoever imports must work without anybody listening; making tickets and scoring them must
happen whatever made the prediction or brought the draw, be it the pipeline, a command or the admin.
"""

import logging
from typing import Any

from django.db.models import Model
from django.dispatch import Signal

logger = logging.getLogger(__name__)

# Sent after STEP 6 has committed. Argument: `run`, the completed PipelineRun.
predictions_generated = Signal()

# Sent after an import has committed that brought or changed draws. Argument: `dates`, the dates of those
# draws, ascending.
draws_stored = Signal()


def send_logged(signal: Signal, sender: type[Model], about: str, **values: Any) -> None:
    """Send a signal to whoever listens; their trouble is logged and is not the sender's."""
    for receiver, answer in signal.send_robust(sender=sender, **values):
        if isinstance(answer, Exception):
            logger.error("%s failed on %s", receiver.__qualname__, about, exc_info=answer)
