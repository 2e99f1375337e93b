"""What a token, a turn and an open stream cost, measured beside nginx and a common design.

`make bench` runs `run.py`. Nothing here is imported by the product.
"""
