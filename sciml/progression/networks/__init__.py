"""The autoencoder of images and the denoiser of latents, and the files that hold both."""
