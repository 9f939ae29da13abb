"""The only code that moves traffic: fence, compare-and-swap, verify, switch back, retire."""
