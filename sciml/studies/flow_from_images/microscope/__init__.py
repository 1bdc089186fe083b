"""What a microscope makes of a flow: texture along the directors, blur, noise and 12 bits."""
