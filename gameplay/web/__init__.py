"""The service over HTTP: Starlette routes over what `gameplay.serving.service` has built."""
