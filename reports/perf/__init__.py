"""What was measured of a path, and what the figures say."""
