"""Our HTTP client, the only one: own redirect hops, address checks, cookies and cool-downs."""
