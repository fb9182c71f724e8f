from visiona.agent.settings import AgentSettings


def test_the_agent_pings_before_any_proxy_cuts_an_idle_connection() -> None:
    """T-54."""
    assert AgentSettings().tunnel.ping_seconds < 60
