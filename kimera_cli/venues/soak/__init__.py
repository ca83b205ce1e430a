"""A long run under random faults, in processes of their own, compared with the truth at its end."""
