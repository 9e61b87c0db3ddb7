"""Models of tickets: runs, batches, clients, claims, policies and scores."""

from tickets.models.claims import Claim, ClaimHour
from tickets.models.clients import ApiClient, ApiKey, QuotaUsage
from tickets.models.generation import GenerationRun, Origin, TicketBatch
from tickets.models.policies import ModePolicy
from tickets.models.scores import BatchScore
from tickets.models.tickets import PreGeneratedTicket, PreGeneratedTicketQuerySet

__all__ = [
    "ApiClient",
    "ApiKey",
    "BatchScore",
    "Claim",
    "ClaimHour",
    "GenerationRun",
    "ModePolicy",
    "Origin",
    "PreGeneratedTicket",
    "PreGeneratedTicketQuerySet",
    "QuotaUsage",
    "TicketBatch",
]
