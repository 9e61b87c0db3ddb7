"""Modes, one file per mode; `registry` lists them."""
