"""The probability distribution of a ticket: components, strata, sampling and confidence."""
