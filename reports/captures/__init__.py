"""Captures of other tools as evidence: what they show of pairs, without probes. Pure, but for reading the files."""
