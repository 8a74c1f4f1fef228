"""The site: a published build comes in, an application that answers over HTTP goes out."""
