"""`make demo`: real versions of a real service, released under load, with every loss counted."""
