"""rtnetlink messages: what is written to a kernel, and what is read from one."""
