"""The pages: a place to play, and a place to look. Server-rendered, without a build step."""
