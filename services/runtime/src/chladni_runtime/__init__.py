"""What every Chladni service shares; knows no model, no service and no torch."""
