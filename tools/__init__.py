"""Programs that make data for the repository; not installed, and imported by nothing in it."""
