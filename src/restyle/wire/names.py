"""What the wire calls each part of a conversion: Restyle's own name -> PICPIK's."""

FIELDS = {
    "model": "MainModel",
    "sub_models": "SubModelList",
    "strength": "StyleReferStrength",
    "width": "Width",
    "height": "Height",
    "resize_mode": "ResizeMode",
    "preserve_color": "PreserveColor",
    "keep_alpha": "KeepAlpha",
    "seed": "Seed",
    "batch_size": "BatchSize",
    "positive_prompts": "PositivePrompts",
    "negative_prompts": "NegativePrompts",
    "translate_prompts": "TranslatePrompts",
    "use_main_model_vae": "UseMainModelVAE",
    "control_type": "ControlType",
}
"""Of a submission."""
PICTURES = {"control_image": "ControlImageIndex", "mask": "MaskIndex"}
"""Of the pictures that may come beside the raw image and the style."""
MODEL = {"code": "ModelCode", "parameters": "InferenceParams"}
"""Of a model in it."""
PARAMETERS = {
    "steps": "Steps",
    "sampler": "Sampler",
    "clip_skip": "ClipSkip",
    "cfg_scale": "CFGScale",
    "weight": "LoraWeight",
}
"""Of how a model is run."""
DEFAULT_MODEL = "Restyle Brush"
"""The ModelCode of what draws where a program names no model."""
