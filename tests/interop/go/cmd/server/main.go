package main

var Generation = "unknown"

func main() { _ = Generation }
