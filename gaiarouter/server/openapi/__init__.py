"""`GET /openapi.json`: what this gateway answers, made from the routes themselves, and `GET /docs`, which shows it."""
