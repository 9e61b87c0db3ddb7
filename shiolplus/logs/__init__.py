"""Logging: context ids, formatters, filters, and sanitizing of untrusted text."""
