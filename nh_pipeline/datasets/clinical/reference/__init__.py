"""What codes and names mean to us: categories of our own, by codes alone."""
