"""When the service needs a person: one list of alerts, written for Prometheus and for Grafana."""
