"""A module that does not import."""

raise ImportError("this module never imports")
