"""Pools, deployments, swaps and rollbacks."""
