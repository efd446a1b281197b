"""Traffic on road networks by the Aw-Rascle-Zhang equations; the solver will stand here."""
