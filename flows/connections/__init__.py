"""What is fetched from other services and pushed to them; a build reads what was fetched."""
