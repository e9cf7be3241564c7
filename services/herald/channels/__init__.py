"""Delivery channels: signed webhooks, Apprise, Alertmanager; and the guard that restricts their targets."""
