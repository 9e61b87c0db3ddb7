"""Geometry and labels of charts, which templates render as SVG without scripts."""
