"""Writes tests/tokenizer/data/words.bin: texts, and the words into which the
Hugging Face tokenizers split them by the expressions of each pre-tokenizer.

    pip install tokenizers==0.23.3
    python3 tests/tools/pretokenizer_words.py

The file: u32 number of texts; of each a u8 length and the bytes; then of each
pre-tokenizer a u8 length, its name, and of each text a u8 number of words and
the u8 lengths of these.
"""
import pathlib
import random

from tokenizers import Regex, pre_tokenizers

N_TEXTS = 400
OUT = pathlib.Path(__file__).parent.parent / "tokenizer/data/words.bin"

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"|\s+(?!\S)|\s+"
GPT2 = (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+" + SPACES)
LLAMA3 = (CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+" + SPACES)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
QWEN35 = QWEN2.replace(r"]?\p{L}+", r"]?[\p{L}\p{M}]+").replace(
    r" ?[^\s\p{L}\p{N}]", r" ?[^\s\p{L}\p{M}\p{N}]")
UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ASIAN = r"[\x{4E00}-\x{9FA5}\x{0800}-\x{4E00}\x{AC00}-\x{D7FF}]+"
# The letters of deepseek-llm, as hexadecimal ranges.
LLM_LETTERS = """
41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377
37B-37D 37F 386 388-38A 38C 38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5
13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A
1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D
1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC
1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128
212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183 2184 2C00-2C7B
2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787
A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F
104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943
"""


def cased(contractions, digits):
    start = r"[^\r\n\p{L}\p{N}]?"
    return (f"{start}{UPPER}*{LOWER}+{contractions}"
            f"|{start}{UPPER}+{LOWER}*{contractions}|\\p{{N}}{digits}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+" + SPACES)


def llm_letters():
    ranges = [r.split("-") for r in LLM_LETTERS.split()]
    cells = [f"\\x{{{r[0]}}}-\\x{{{r[-1]}}}" for r in ranges]
    return r"\s?[" + "".join(cells) + "]+"


EXPRESSIONS = {
    "gpt-2": [GPT2],
    "llama-bpe": [LLAMA3],
    "qwen2": [QWEN2],
    "qwen35": [QWEN35],
    "smollm": [r"\p{N}", GPT2],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
    "tekken": [cased("", "")],
    "gpt-4o": [cased(CONTRACTIONS + "?", "{1,3}")],
    "minicpm5": [r"\p{N}{1,3}", QWEN2.replace(r"\p{N}|", r"\p{N}+|")],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", ASIAN, r"\p{N}"],
    "deepseek-llm": [r"[\r\n]", llm_letters(),
                     r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", ASIAN, r"\p{N}+"],
    "deepseek-v3": [
        r"\p{N}{1,3}",
        r"[\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+",
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
        r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
        r"|\s*[\r\n]+" + SPACES],
}

# Of every class some, with what the expressions name.
LETTERS = list("abcXYZ019'  \t\r\n.,!?;:$+~`|/^<=>@#-_()[]{}\"\\srtmdlvSRTMDLVE")
LETTERS += list("éÀßжЖǅʰªºابไ我中あア가㐀ㄱ٣½Ⅳ①€¥°😀👍🏽‘“—、。！～　\u0301\u093f\u0e48"
                "\u00a0\u2028\u0085\u200b\u200d\U00010400\U00010428\u0378\ufffd"
                "\u0000\u001c\u2c2f\ua7c0")
WORDS = ["the", "Hello", "WORLD", "don't", "it's", "I'LL", "we've", "12345",
         "3.14", "foo_bar", "  ", "\n\n", "\t", "   \n  ", "HTTPServer",
         "iPhone", "naïve", "...", "!!!\n", "//\n", "/* x */", "' s", "'S",
         "'re", " 'd", "x'll", "你好", "123abc", "αβγ", "ΑΒΓ"]


def texts():
    dice = random.Random(7)
    while True:
        if dice.random() < 0.7:
            n = dice.randrange(1, 32)
            text = "".join(dice.choice(LETTERS) for _ in range(n))
        else:
            n = dice.randrange(1, 9)
            text = "".join(dice.choice(WORDS) + dice.choice(["", " ", ""])
                           for _ in range(n))
        if 0 < len(text.encode()) < 256:
            yield text.encode()


source = texts()
chosen = [next(source) for _ in range(N_TEXTS)]
out = bytearray(N_TEXTS.to_bytes(4, "little"))
for text in chosen:
    out += bytes([len(text)]) + text
for name, expressions in EXPRESSIONS.items():
    splits = [pre_tokenizers.Split(Regex(e), "isolated") for e in expressions]
    sequence = pre_tokenizers.Sequence(splits)
    out += bytes([len(name)]) + name.encode()
    for text in chosen:
        words = [w for w, _ in sequence.pre_tokenize_str(text.decode())]
        assert "".join(words).encode() == text
        out += bytes([len(words)]) + bytes(len(w.encode()) for w in words)
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_bytes(out)
