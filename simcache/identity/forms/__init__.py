"""How a value becomes bytes that are the same in every process, and no other value's."""
