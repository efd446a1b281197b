"""Whether the solver is right: exact solutions, balances and limits, computed by the engine itself and held against bounds."""
