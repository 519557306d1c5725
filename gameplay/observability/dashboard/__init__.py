"""The Grafana dashboard, made of the series' own names: generated, varied, linted, and adopted from an export."""
