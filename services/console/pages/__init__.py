"""The console's pages for a browser: templates filled on the server, and one small script that keeps them current."""
