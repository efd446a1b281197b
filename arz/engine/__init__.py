"""How it is computed: scenarios become flat arrays, and arrays are carried through time."""
