"""How a message travels: signed webhooks, Apprise, Alertmanager; and where it may not go."""
