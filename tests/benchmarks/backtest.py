"""`python -m tests.benchmarks.backtest`: the default backtest of every mode over the newest 200 bundled
draws.

Takes minutes. Compares its time with that of one uniform fold, a bare child process, since the machine's
speed drifts.
"""

import os
import time

from tests.benchmarks.alone import own_database


def main() -> None:
    with own_database():
        from django.conf import settings
        from django.core.management import call_command

        from predictions.draws.sources import import_source
        from predictions.evaluation.backtest import BASELINE, RELATIVE_COST
        from predictions.models import Backtest

        import_source("bundled")
        started = time.perf_counter()
        call_command("backtest")
        seconds = time.perf_counter() - started
        folds = Backtest.objects.get().folds
        print(
            f"\n{os.cpu_count()} cores, {settings.FIT_PROCESSES} children at a time: {seconds:.0f} s in all"
        )
        for mode in RELATIVE_COST:
            taken = [fold.seconds for fold in folds.filter(mode=mode)]
            beside = " (a bare child process)" if mode == BASELINE else ""
            print(f"{mode:14} {sum(taken) / len(taken):6.1f} s a fold{beside}")


if __name__ == "__main__":
    main()
