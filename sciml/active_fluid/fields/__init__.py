"""Fields on periodic grids: parameters, spectra, defects, and the flow of the rods' stress."""
