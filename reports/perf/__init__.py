"""What was measured of paths, and what the figures say. Pure."""
