"""Measurements of paths, and findings from them. Pure."""
