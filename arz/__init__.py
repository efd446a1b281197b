"""Traffic on road networks by the Aw-Rascle-Zhang equations: the laws stand in `arz.laws`, the solver will stand on them."""
