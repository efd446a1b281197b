"""How fast traffic of a given marker moves in a given crowd."""
