"""What people read about a trained model: a page of one file, and its short Markdown sibling."""
