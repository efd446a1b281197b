"""What an agent is praised for."""
