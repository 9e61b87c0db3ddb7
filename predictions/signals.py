"""Signals from predictions to tickets, which predictions must not import.

Generation and scoring follow every prediction and import, whichever of pipeline, command or admin started it.
"""

import logging
from typing import Any

from django.db.models import Model
from django.dispatch import Signal

logger = logging.getLogger(__name__)

# Sent after step 6 has committed. Argument: `run`, the completed PipelineRun.
predictions_generated = Signal()

# Sent after an import that added or changed draws has committed. Argument: `dates`, their dates, ascending.
draws_stored = Signal()


def send_logged(signal: Signal, sender: type[Model], about: str, **values: Any) -> None:
    """Send a signal; log exceptions of its receivers instead of raising them."""
    for receiver, response in signal.send_robust(sender=sender, **values):
        if isinstance(response, Exception):
            logger.error("%s failed on %s", receiver.__qualname__, about, exc_info=response)
