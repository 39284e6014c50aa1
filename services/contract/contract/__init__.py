"""What every service agrees on. Standard library only; Python 3.8 (the converter's) to 3.13."""
