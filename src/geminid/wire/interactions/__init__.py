"""Google's Interactions API: snake_case messages, steps instead of contents, and errors of its own."""
