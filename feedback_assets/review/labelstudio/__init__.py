"""Questions put into a project of Label Studio, and what people said there."""
