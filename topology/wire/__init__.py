"""Frames as header stacks: `headers.decode` reads one, `stack.Stack` says what one must be.

Importing them needs the standard library only; `scapy_bridge` imports scapy when it is first asked.
"""
