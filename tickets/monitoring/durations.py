"""Durations as text."""


def duration(seconds: float) -> str:
    """Return a duration such as 0.04 s, 1.5 s, 12 s, 3 min 20 s, 5 h 03 min or 12 days."""
    if seconds < 10:
        return f"{max(seconds, 0):.{2 if seconds < 1 else 1}f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 2 * 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} days"
