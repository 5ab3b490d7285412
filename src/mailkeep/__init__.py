"""Mailkeep's core: what is true of mail here, whoever asks."""

__version__ = "0.1.0"
