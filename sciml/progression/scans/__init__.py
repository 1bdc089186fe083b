"""Images of users and public scans: read, registered, segmented, prepared, examined."""
