"""Where alerts come from: Alertmanager, a webhook inbox, and a probe of the entrance."""
