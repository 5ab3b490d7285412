"""What our own services ask of the API, with service tokens."""
