"""The care of a store: each file is one function that returns one frozen report."""
