"""Blue-green releases with zero downtime, as a Dagster project."""
