"""Learning to control traffic; tasks, training and scores will stand here."""
