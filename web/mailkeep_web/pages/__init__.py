"""The pages, one module each; the template has the same name."""
