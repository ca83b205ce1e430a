"""Orders at venues without any wire: what was meant, what became of it, what must be asked."""
