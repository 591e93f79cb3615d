"""Computes a plan from desired, recorded and live webhooks. Pure functions: no I/O, no clock."""
