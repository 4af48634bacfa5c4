"""Checks each argument of the public functions, and brings it into the form that the ops take."""
