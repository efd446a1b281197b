"""What passes the end of a road."""
