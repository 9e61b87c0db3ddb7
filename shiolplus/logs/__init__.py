"""Log records: context ids, formatters, filters, and text that is safe to log."""
