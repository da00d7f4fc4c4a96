"""What a user can do about a job that failed for a permanent reason."""

ADVICE = {
    "out_of_memory": "Ask for a smaller batch size or LoRA rank, shorten the longest rows, or use a larger machine.",
    "disk_full": "Free space where artifacts and running jobs are kept, then start the job again.",
    "loss_diverged": "Ask for a lower learning rate (a third is a good next try), and look for rows that are not text.",
    "empty_training_split": "Give each row an answer by the assistant.",
    "rows_too_long": "Shorten such rows, split them, or ask for a larger max_length.",
    "tools_not_rendered": "Remove the rows that call tools, or name a base model whose chat template has tools.",
    "base_model_unusable": "Name another base model: one that has safetensors and a chat template.",
    "artifact_damaged": "Upload the file again and start a new job.",
}


def with_advice(code: str, message: str) -> str:
    """The message, followed by the advice for its code if there is any."""
    advice = ADVICE.get(code)
    return message if advice is None else f"{message.rstrip('.')}. {advice}"
