"""What the site shows that a build makes: tables come in, descriptions and charts go out."""
