"""Where services run: one contract, and a driver per kind of target."""
