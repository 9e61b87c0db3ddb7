"""Adapt the shares of a mixture to observed draws by the fixed-share rule (Herbster & Warmuth 1998)."""

import math
from collections.abc import Mapping

ALPHA = 0.01  # redistributed equally after each draw; keeps every share positive and able to recover


def fixed_share_update(shares: Mapping[str, float], log_likelihoods: Mapping[str, float]) -> dict[str, float]:
    """Return the shares after one draw: s <- (1 - a) * s * P / sum(s * P) + a / K.

    `log_likelihoods` has ln P in nats, P being the probability of the draw under each strategy's distribution
    as stored before the draw. A strategy without one keeps its share, and the update applies to the others
    ("sleeping experts", Freund, Schapire, Singer & Warmuth 1997).
    """
    awake = [name for name in shares if name in log_likelihoods]
    if not awake:
        return dict(shares)
    mass = math.fsum(shares[name] for name in awake)
    largest = max(log_likelihoods[name] for name in awake)
    posterior = {name: shares[name] * math.exp(log_likelihoods[name] - largest) for name in awake}
    total = math.fsum(posterior.values())
    return {
        name: mass * ((1 - ALPHA) * posterior[name] / total + ALPHA / len(awake))
        if name in posterior
        else share
        for name, share in shares.items()
    }


def equal_shares(names: tuple[str, ...]) -> dict[str, float]:
    return dict.fromkeys(names, 1 / len(names))
