"""The Grafana board, made of the series' own names: generated, varied by data source, linted, and taken back."""
