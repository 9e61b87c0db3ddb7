"""Shares of a mixture that follow the evidence: the fixed-share rule (Herbster & Warmuth 1998)."""

import math
from collections.abc import Mapping

ALPHA = 0.01  # of the mass is dealt out equally after each draw: forgetting and a floor in one


def fixed_share_update(shares: Mapping[str, float], log_likelihoods: Mapping[str, float]) -> dict[str, float]:
    """The shares after one draw: s <- (1 - a) * s * P / sum(s * P) + a / K.

    `log_likelihoods` is the log of P, the chance that each strategy's law, as it was before the draw, gave to
    that draw. A strategy without one slept: it keeps its share, and the others divide theirs (Freund,
    Schapire, Singer & Warmuth 1997). So strategies of one law that start equal stay equal.
    """
    awake = [name for name in shares if name in log_likelihoods]
    if not awake:
        return dict(shares)
    mass = math.fsum(shares[name] for name in awake)
    top = max(log_likelihoods[name] for name in awake)
    likely = {name: shares[name] * math.exp(log_likelihoods[name] - top) for name in awake}
    total = math.fsum(likely.values())
    return {
        name: mass * ((1 - ALPHA) * likely[name] / total + ALPHA / len(awake)) if name in likely else share
        for name, share in shares.items()
    }


def equal_shares(names: tuple[str, ...]) -> dict[str, float]:
    """One share for all, before there is evidence."""
    return dict.fromkeys(names, 1 / len(names))
