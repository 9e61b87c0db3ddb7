"""Everything around a request: trusted proxies, security headers, sign-in, health and metrics."""
