"""How well predictions did: log-loss, backtests, comparisons and intervals."""
