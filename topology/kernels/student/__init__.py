"""The student's machine: a guest in which a submission runs as root of namespaces of its own."""
