"""Reading mail: parsing, sanitising, attachments."""
