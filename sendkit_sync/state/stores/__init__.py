"""Where states live, one module a store."""
