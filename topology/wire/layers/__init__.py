"""One module for each header; each defines the `Layer` of it (or several that belong together)."""
