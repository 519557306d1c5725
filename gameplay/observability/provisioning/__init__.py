"""Files for the house around the service: scraping, Grafana's data sources, Kubernetes."""
