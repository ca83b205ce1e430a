"""Order entry at venues: how each venue's requests are written and signed."""
