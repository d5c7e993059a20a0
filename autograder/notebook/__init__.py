"""Homework in notebooks: made of the same solutions as the stubs, checked by the same judge."""
