"""SendKit's API over HTTP. The client is in `api.client`."""
