"""How many requests a minute: by account as its tier has it, and by client address for whoever is nobody."""
