"""What speed drivers settle to in a given occupancy, for closures that leave it open."""
