"""From official draws to a probability distribution per mode for the next draw."""
