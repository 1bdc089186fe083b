"""Classical reconstruction: direct, wavelet, total variation; and how their one parameter is found."""
