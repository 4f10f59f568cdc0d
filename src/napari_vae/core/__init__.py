"""What everything else stands on: errors, settings, micrographs, positions, progress, files on disk, units."""
