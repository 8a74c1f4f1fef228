"""What comes as files: paths come in, rows under our names go out."""
