"""What strangers' files and addresses pass through: fetching, archives, weight files, manifests."""
