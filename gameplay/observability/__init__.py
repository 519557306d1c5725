"""What people look at elsewhere: the dashboard, the alerts and the provisioning in `ops/`."""
