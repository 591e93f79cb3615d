"""SendKit's API over HTTP; import `api.client` for the client itself."""
