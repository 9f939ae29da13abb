"""Going back to the version before: at once, by an alert or a person, whatever else goes on."""
