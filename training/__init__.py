"""How the brush was taught: data in, weights out. No part of what is installed."""
