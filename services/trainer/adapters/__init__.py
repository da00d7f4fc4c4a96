"""The technologies behind the ports of the trainer."""
