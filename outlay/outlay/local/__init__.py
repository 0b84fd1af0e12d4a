"""The whole system on this machine: the embedded stack, the services, and what they need to find."""
