"""Pure: from a request's body to events and rejections."""
