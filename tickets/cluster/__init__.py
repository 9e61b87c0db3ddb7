"""Processes that run the queue: watchdog, schedules, reaper and the local stack."""
