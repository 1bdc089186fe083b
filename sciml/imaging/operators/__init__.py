"""Forward operators: blurs and their kernels, parallel-beam tomography, sampling; what noise is added."""
