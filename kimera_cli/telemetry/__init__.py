"""What the engine tells about itself: its clock, its latencies, its counters."""
