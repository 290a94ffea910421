"""Programs that make data for the repository; they are not installed."""
