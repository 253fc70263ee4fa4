"""The six published test vectors of the signature: fields besides PublicKey, and the SHA-1."""

from typing import Any

PUBLIC_KEY, PRIVATE_KEY = "abcdefg", "123456"
UUID = "8482d350-04f9-421b-817b-1d98b3a4dcfa"

CONVERSION: dict[str, Any] = {
    "Action": "ApplyReferenceStyle",
    "MainModel": {
        "ModelCode": "PICPIK Interior Design",
        "InferenceParams": {"Steps": 20, "CFGScale": 7.5, "Sampler": "Euler"},
    },
    "SubModelList": [{"ModelCode": "x", "InferenceParams": {"LoraWeight": 0.8}}],
    "PositivePrompts": ["a apple"],
    "NegativePrompts": [],
    "TranslatePrompts": True,
    "RawImageIndex": 0,
    "StyleImageIndex": 1,
    "StyleReferStrength": 0.5,
    "Seed": -1,
    "Width": 1024,
    "Height": 1024,
    "BatchSize": 1,
    "UseMainModelVAE": True,
    "ImageList": ["QUJD", "REVG"],
}

VECTORS: list[tuple[dict[str, Any], str]] = [
    ({"Action": "ListModels"}, "4a20bc1141494035f6aaaad13224c94c5a8bc3a5"),
    ({"Action": "ListModels", "request_uuid": UUID}, "361ca961378e6c29734285734fb7bba88f51ac61"),
    (
        {"Action": "ListTasksDetails", "TaskUIDList": ["cktlm6lrh4miq8ng9nf0", "ckti5nf2h4keq8mr9n00"]},
        "10b12fc65867eb8198a6816ffbf041d09ac79bb2",
    ),
    (CONVERSION, "4b3470e00d0cf10be56bcaa939868ff8ea792640"),
    ({**CONVERSION, "StyleReferStrength": 1.0}, "c6f348990ba825f87cc5612b16270208fc81342f"),
    (
        {
            "Action": "ApplyReferenceStyle",
            "request_uuid": UUID,
            "MainModel": {"ModelCode": "PICPIK Interior Design"},
            "RawImageIndex": 0,
            "StyleImageIndex": 1,
            "StyleReferStrength": 0.5,
            "PositivePrompts": ["一个苹果", "木桌"],
            "TranslatePrompts": True,
            "ImageList": ["data:image/png;base64,QUJD", "data:image/jpeg;base64,REVG"],
        },
        "7e3b41c06931b17febe722360f0a08af6b2a78a1",
    ),
]
