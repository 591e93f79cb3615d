"""Keeping secrets in the state, and keeping them out of everything else."""
