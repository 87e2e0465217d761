"""What a fabric keeps apart: its Layer 2 domains, what a forger can send into them, and the world outside. Pure."""
