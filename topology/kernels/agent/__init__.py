"""The agent: the one small program through which every live action on a kernel goes.

It runs where the fabric lives (a sandbox of namespaces on this machine, a microVM, later a remote machine) and needs
nothing but Python 3.9 and Linux. ``topology.kernels.bundle`` packs these modules into one source text, which is the
first thing sent over the stream; no module here may import anything but the standard library and its neighbours.
"""
