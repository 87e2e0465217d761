"""Captures of other tools as evidence: what they show of pairs, without a probe of ours. Pure, but for their files."""
