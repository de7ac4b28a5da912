"""What runs by itself: conditions, sensors, and what is behind in the lake."""
