"""Forwarding state: what a fabric does with packets, from a declaration or read from live nodes."""
