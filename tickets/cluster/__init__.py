"""Processes that run the queue: watchdog, scheduler, reaper and the local stack."""
