"""The faults of a venue's life as scenarios, played against the venue server in this process."""
