"""A fabric's isolation: its Layer 2 domains, packets forged into them, and the world outside. Pure."""
