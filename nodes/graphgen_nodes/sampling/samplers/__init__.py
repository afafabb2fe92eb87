"""One numerical method a module, each written like its paper, in alpha, sigma and lambda."""
