"""What several integration tests share: the engine and what it needs."""

from tests.engine import base_model, engine, make_adapter

__all__ = ["base_model", "engine", "make_adapter"]
