"""Personal data: found by pattern and checksum, masked for everybody but its owner."""
