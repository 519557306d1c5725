"""When somebody should be told: one list of alerts, written for Prometheus and for Grafana."""
