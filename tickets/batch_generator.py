"""The path under which the specification names the generator."""

from tickets.generation.generator import BatchTicketGenerator

__all__ = ["BatchTicketGenerator"]
