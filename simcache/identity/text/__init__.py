"""What a source file says, as found out from its text alone."""
