"""The service over HTTP: Starlette routes over what `gameplay.service` has built."""
