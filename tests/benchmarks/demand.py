"""`make bench-demand`: print totals, by time and by seed, of tests/tickets/demand/season.py.

The committed seed comes first: a line per tenth of the season and one for its ten-fold draws. Other seeds,
a baseline with a fixed minimum, and slower deliveries follow for comparison.
"""

from collections.abc import Sequence

from tests.tickets.demand.season import SEED, Outcome, Totals, fixed_floor, season

OTHER_SEEDS = (2, 3, 4, 5, 6)
DELIVERIES = (5, 10, 20)  # minutes
TENTHS = 10


def show(what: str, outcomes: Sequence[Outcome]) -> None:
    of = Totals.of(outcomes)
    print(
        f"{what:34} {len(outcomes):5} {of.claims:9,} {of.claimed:10,} {of.made:10,} {of.made_a_claimed:8.3f}"
        f" {of.missed:7,} {of.missed_share:8.3%} {of.orders / len(outcomes):8.1f}",
        flush=True,
    )


def curve(outcomes: Sequence[Outcome]) -> None:
    """Print a line per tenth of a season, one for its ten-fold draws, and one for the season."""
    for tenth in range(TENTHS):
        first, last = (len(outcomes) * part // TENTHS for part in (tenth, tenth + 1))
        show(f"seed {SEED}, draws {first + 1} to {last}", outcomes[first:last])
    show(f"seed {SEED}, the ten-fold draws", [one for one in outcomes if one.is_rush])
    show(f"seed {SEED}, all", outcomes)


def main() -> None:
    print(f"{'':34} draws    claims    claimed       made  made/cl.  missed    share orders/d", flush=True)
    curve(season(SEED))
    for seed in OTHER_SEEDS:
        show(f"seed {seed}, all", season(seed))
    show("a fixed floor of 100", season(SEED, fixed_floor))
    for minutes in DELIVERIES:
        show(f"delivered after {minutes} minutes", season(SEED, delivery=minutes))


if __name__ == "__main__":
    main()
