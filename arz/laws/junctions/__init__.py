"""Who passes where roads meet."""
