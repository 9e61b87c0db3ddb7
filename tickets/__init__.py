"""From stored predictions to pre-generated tickets, and from those to JSON."""
