"""What can be controlled beside the signals, which belong to their nodes."""
