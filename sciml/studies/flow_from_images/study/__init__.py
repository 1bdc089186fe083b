"""Cases, files of movies, and what is measured over combinations."""
