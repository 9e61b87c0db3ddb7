"""Chart geometry and labels for SVG templates."""
