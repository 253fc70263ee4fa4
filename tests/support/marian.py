"""A tiny Marian model, trained for seconds on a few pairs and converted for CTranslate2: real parts, small."""

import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

PAIRS = (("小猫", "feline"), ("海滩", "sandy shore"), ("日落", "evening sun"), ("红色的小猫", "red feline"))
"""Deliberately not what the glossary says, so that tests see who translated."""


def train_pieces(texts: Sequence[str], path: Path) -> list[str]:
    """Train sentencepiece on ``texts`` and write it; its pieces in order."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(texts) * 20),
        model_writer=model,
        vocab_size=60,
        hard_vocab_limit=False,
        model_type="unigram",
        character_coverage=1.0,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [processor.id_to_piece(piece) for piece in range(processor.get_piece_size())]


def make_marian(folder: Path) -> Path:
    """A folder as an operator has it after ``ct2-transformers-converter``: model/, source.spm, target.spm."""
    import ctranslate2
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    raw = folder / "raw"
    raw.mkdir(parents=True)
    pieces = train_pieces([source for source, _ in PAIRS], raw / "source.spm")
    pieces += train_pieces([target for _, target in PAIRS], raw / "target.spm")
    special = ("</s>", "<unk>", "<s>")
    vocabulary = dict.fromkeys(["</s>", "<unk>", *(piece for piece in pieces if piece not in special), "<pad>"])
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    (raw / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    tokenizer = MarianTokenizer(
        vocab=str(raw / "vocab.json"),
        source_spm=str(raw / "source.spm"),
        target_spm=str(raw / "target.spm"),
        source_lang="zh",
        target_lang="en",
    )
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for so little each thread more costs time
    config = MarianConfig(
        vocab_size=len(ids),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=512,  # as real ones; fewer than are decoded at most end in an error
        pad_token_id=ids["<pad>"],
        eos_token_id=ids["</s>"],
        decoder_start_token_id=ids["<pad>"],
        dropout=0.0,
        activation_function="relu",
        scale_embedding=True,
    )
    model = MarianMTModel(config)
    batch = tokenizer(
        [source for source, _ in PAIRS], text_target=[target for _, target in PAIRS], return_tensors="pt", padding=True
    )
    labels = batch["labels"].masked_fill(batch["labels"] == ids["<pad>"], -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, fused=True)
    for _ in range(2000):
        loss = model(batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():  # As in Marian's own models: decoding starts from a zero embedding.
            model.model.shared.weight[ids["<pad>"]].zero_()
        if loss.item() < 0.003:
            break
    torch.set_num_threads(threads)
    model.save_pretrained(raw)
    tokenizer.save_pretrained(raw)
    made = folder / "made"
    ctranslate2.converters.TransformersConverter(str(raw)).convert(str(made / "model"))
    for name in ("source.spm", "target.spm"):
        shutil.copyfile(raw / name, made / name)
    return made


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    """An archive of ``members``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path
