"""What there is: roads, nodes, traffic and controls, as frozen records in SI units."""
