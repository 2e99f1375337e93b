"""`make chaos`: break everything around Parlour by a seed, then prove from what clients saw that
nothing acknowledged was lost, repeated, reordered or billed wrongly."""
