"""The operator's hand: the only package that knows every room."""
