"""A sample edge unit: the local tool of a device with a camera and two accelerators, all of it synthetic."""
