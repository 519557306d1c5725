"""What other programs show of the service: the dashboard, the alerts and the provisioning in `ops/`."""
