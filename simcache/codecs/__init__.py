"""How a value becomes bytes, and comes back the same."""
