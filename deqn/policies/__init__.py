"""Policy functions: approximators, anchors, bounds. Nothing is trained here."""
