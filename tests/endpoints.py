"""Endpoints that are none: each makes the library beneath panic, or go elsewhere, when it is not refused."""

WRONG_ENDPOINTS = (
    "",
    "minio:9000",
    "127.0.0.1:9000",
    "http://",
    "ftp://minio",
    "//minio",
    "http://minio\n",
    "http://mi\nnio:9000",
    "http://minio:9000\r",
    "http://mi nio",
    "http://min\u00efo",
    "http://minio:port",
    "http://minio:99999",
    "http://minio:0",
    "http://[::1",
    "http://minio?x=1",
    "http://minio#x",
    "http://user:swordfish@minio",
)
