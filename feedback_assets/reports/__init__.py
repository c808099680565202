"""What people look at: plots, pages and the server that shows them."""
