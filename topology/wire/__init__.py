"""Frames as header stacks: `headers.decode` reads one, `stack.Stack` says what one must be. No import of scapy."""
