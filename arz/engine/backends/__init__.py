"""On what it is computed: the loops over cells, nodes and worlds, and nothing else."""
