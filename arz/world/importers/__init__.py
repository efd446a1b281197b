"""How the networks of other programs come in."""
