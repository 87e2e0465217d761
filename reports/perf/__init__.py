"""What measurements mean: runs of iperf3, traces of kernel functions, comparisons, answers. Pure."""
