"""The gateway: from a recording to an image, over REST, gRPC and a web page."""
