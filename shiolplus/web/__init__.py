"""Request handling around Django: trusted proxies, security headers, sign-in, health and metrics."""
