"""`python -m tests.benchmarks.scoring`: time and peak memory of scoring a million tickets.

Scoring runs in its own process. The machine's speed drifts, so a count of the same rows is timed in the same
minute: quote the ratio.
"""

import os
import subprocess
import sys
import tempfile

from tests.benchmarks.serving import fill

TICKETS = 1_000_000
ROUNDS = 3

SCORE = f"""
import resource, statistics, time
import django; django.setup()
from predictions.draws.sources import upcoming_draw
from shiolplus.cli import configure_console_logging
from tests.factories import make_draw
from tickets.models import PreGeneratedTicket, TicketBatch
from tickets.models.scores import BatchScore
from tickets.scoring.scorer import score_draw

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def timed(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

configure_console_logging(0)
draw = make_draw(upcoming_draw())
rows = PreGeneratedTicket.objects.of_batch(TicketBatch.objects.get()).order_by()
rows.count()
idle, counts, scores = peak(), [], []
for _ in range({ROUNDS}):
    counts.append(timed(rows.count))
    BatchScore.objects.all().delete()
    scores.append(timed(lambda: score_draw(draw)))
score = BatchScore.objects.get()
counted, scored = statistics.median(counts), statistics.median(scores)
beside = f"{{scored / counted:.1f}} times SELECT COUNT(*) of the same rows ({{counted:.2f}} s)"
print(f"{{score.tickets:,}} tickets: {{scored:.2f}} s, {{beside}}")
print(f"peak memory {{peak():.0f}} MB, {{peak() - idle:.0f}} MB more than before the first score")
print(f"won {{score.won}}; ${{score.prize_usd:,}} beside an expected ${{score.expected_usd:,.0f}}")
"""


def main() -> None:
    os.environ |= {"DJANGO_SETTINGS_MODULE": "shiolplus.settings", "SHIOL_SECRET_KEY": "only-for-benchmarks"}
    os.environ.pop("DATABASE_URL", None)
    with tempfile.TemporaryDirectory(prefix="shiol-bench-") as folder:
        fill(folder, TICKETS)
        subprocess.run([sys.executable, "-c", SCORE], env=os.environ | {"SHIOL_VAR": folder}, check=True)


if __name__ == "__main__":
    main()
