"""rtnetlink messages, written to a kernel and read from one."""
