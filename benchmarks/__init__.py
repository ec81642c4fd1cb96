"""What geminid costs and what it gives, measured on the machine at hand. Start with ``benchmarks.run``."""
