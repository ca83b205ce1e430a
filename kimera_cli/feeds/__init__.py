"""Wire bytes to events: per venue a declaration of its messages and a slow, forgiving parser."""
