"""LoRA and its kin: files of small changes to a model's layers, in every dialect that trainers write."""
