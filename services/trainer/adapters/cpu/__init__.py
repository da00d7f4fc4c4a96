"""Training code for processors (CPUs): the same losses and gradients as TRL's code, in less time.

It is used where one process trains on a processor:

- `packing` lays rows end to end, so that no time is spent on padding;
- `answer_loss` runs the language model's head over answer tokens only, and only once;
- `lora_product` computes LoRA's products within the matrix products of the frozen weights;
- `precision` measures whether this processor multiplies bf16 fast; then the frozen weights are kept in it.

On GPUs, with several processes, and for architectures that `packing` does not support, TRL's own code is used.
"""
