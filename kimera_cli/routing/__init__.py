"""Where an order goes: one order over several venues."""
