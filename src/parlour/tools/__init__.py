"""MCP: the only hands of the agent."""
