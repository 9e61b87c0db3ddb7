"""The one signal: it joins predictions to tickets, which must not know each other."""

from django.dispatch import Signal

# Sent with `send_robust` after STEP 6 has committed. Argument: `run`, the completed PipelineRun.
predictions_generated = Signal()
