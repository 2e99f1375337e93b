"""The edge: parse, authorise, call one function, encode."""
