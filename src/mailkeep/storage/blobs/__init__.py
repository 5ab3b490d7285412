"""Where bulk bytes live."""
