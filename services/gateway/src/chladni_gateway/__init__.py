"""The gateway: from a recording to a picture, over REST, gRPC and a web page."""
