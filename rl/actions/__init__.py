"""What an agent can do, and how many agents do it."""
