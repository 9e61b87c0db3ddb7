"""Public import path of BatchTicketGenerator, as specified."""

from tickets.generation.generator import BatchTicketGenerator

__all__ = ["BatchTicketGenerator"]
