"""A use case each; the service opens the transaction."""
