"""What holds at one point: numbers in, numbers out, for Python, CPU and CUDA alike."""
