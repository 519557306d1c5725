"""Files for what surrounds the service: scraping, Grafana's data sources, Kubernetes."""
