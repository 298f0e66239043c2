"""The stores that the gateway needs: their interfaces."""
