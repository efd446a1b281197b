"""What this process has loaded, and what it has made of that since."""
