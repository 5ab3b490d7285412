"""A module for each page; its templates have the same name."""
