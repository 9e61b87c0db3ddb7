"""Import path of BatchTicketGenerator required by the specification."""

from tickets.generation.generator import BatchTicketGenerator

__all__ = ["BatchTicketGenerator"]
