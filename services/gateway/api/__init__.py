"""What the gateway answers by HTTP."""
