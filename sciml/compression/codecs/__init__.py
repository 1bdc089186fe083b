"""The codec of pictures, and the models that it loads."""
