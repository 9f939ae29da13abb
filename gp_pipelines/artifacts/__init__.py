"""What is deployed: built once, stored, and known by its digest."""
