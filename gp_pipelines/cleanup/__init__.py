"""What must end without anybody asking: retention that ran out, and what a dead run left."""
