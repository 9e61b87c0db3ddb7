"""From official draws to one probability distribution a mode for the next draw."""
