"""What the tests share: folders, servers, stand-ins and plans; no test imports another test module."""
