"""The two signals: each joins predictions to tickets, which must not know each other.

Whoever learns and whoever imports must work without anybody listening; making tickets and scoring them must
happen whatever made the prediction or brought the draw, be it the pipeline, a command or the admin.
"""

from django.dispatch import Signal

# Sent with `send_robust` after STEP 6 has committed. Argument: `run`, the completed PipelineRun.
predictions_generated = Signal()

# Sent with `send_robust` after an import has committed that brought or changed draws. Argument: `dates`, the
# dates of those draws, ascending.
draws_stored = Signal()
