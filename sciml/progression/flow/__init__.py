"""Motion of a brain: maps, flows to volumes, registration of two scans; a scan moved in its own voxels."""
