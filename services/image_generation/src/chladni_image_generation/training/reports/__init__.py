"""What a training run reports: figures, contact sheets and the model card."""
